"""The ladder of stages of several runs of recipes/tiny.toml that differ in their seed, as Markdown.

    for n in 17 18 19; do ruminate run recipes/tiny.toml --seed $n --out runs/tiny-$n; done
    python benches/ladder.py runs/tiny-17 runs/tiny-18 runs/tiny-19

Shares are means over seeds with the 95% interval of Student's distribution. Needs nothing but Python.
"""

import json
import math
import sys
from pathlib import Path

STUDENT = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}
STAGES = "base zero cold-sft reasoning no-language sft r1 small small-rl distilled distilled-rl".split()
CURVES = ["rl/response_length_mean", "rl/reflection_words", "rl/language_share"]


def over_seeds(values, scale=1.0, digits=1):
    """Mean and interval of one figure of each run."""
    values = [scale * value for value in values]
    mean = sum(values) / len(values)
    if len(values) < 2:
        return f"{mean:.{digits}f}"
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    half = STUDENT[len(values)] * deviation / math.sqrt(len(values))
    return f"{mean:.{digits}f} ± {half:.{digits}f}"


def ends(lines, key):
    """Means over the first and the last tenth of the steps."""
    values = [line[key] for line in lines if key in line]
    n = max(1, len(values) // 10)
    return sum(values[:n]) / n, sum(values[-n:]) / n


def main():
    runs = [Path(run) for run in sys.argv[1:]]
    seeds = [json.loads((run / "manifest.json").read_text())["seed"] for run in runs]
    print(f"| stage | pass@1, seeds {', '.join(map(str, seeds))} | mean | general requests | language | tokens | reflection words |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for stage in STAGES:
        evaluations = [json.loads((run / stage / "evaluation.json").read_text()) for run in runs]
        each = ", ".join(f"{100 * found['pass_at_1']['mean']:.1f}" for found in evaluations)
        column = lambda key, *form: over_seeds([found[key] for found in evaluations], *form)
        general = over_seeds([found["general"]["mean"] for found in evaluations], 100)
        accuracy = over_seeds([found["pass_at_1"]["mean"] for found in evaluations], 100)
        shares = [column("language_share", 100), column("response_length"), column("reflection_words", 1, 2)]
        print(f"| `{stage}` | {each} | {accuracy} | {general} | {' | '.join(shares)} |")
    print("\n| stage, first to last tenth of its steps | tokens | reflection words | words in the target language |")
    print("| --- | --- | --- | --- |")
    for stage in ["zero", "reasoning", "no-language"]:
        cells = []
        for key, scale, digits in zip(CURVES, [1, 1, 100], [1, 2, 1]):
            both = [ends([json.loads(line) for line in (run / stage / "metrics.jsonl").read_text().splitlines()], key) for run in runs]
            cells.append(" -> ".join(over_seeds(side, scale, digits) for side in zip(*both)))
        print(f"| `{stage}` | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
