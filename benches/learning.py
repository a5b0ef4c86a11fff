"""What runs with a stage "base" and a stage "zero" learned, as Markdown: a table of seeds, the curve over the steps, and the control.

    for n in 17 18 19; do ruminate run recipes/tiny.toml --seed $n --out runs/tiny-$n; done
    ruminate run recipes/tiny.toml --set zero.control=zero-advantage --out runs/control
    python benches/learning.py runs/tiny-17 runs/tiny-18 runs/tiny-19 --control runs/control

Needs nothing but Python.
"""

import argparse
import json
import statistics
from pathlib import Path

# Half-width of a 95% interval of a mean of n values, in standard errors: Student's t with n - 1 degrees of freedom.
STUDENT = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78}
CURVE = [
    ("reward", "rl/reward_mean", 1, 2),
    ("accuracy, %", "rl/accuracy", 100, 1),
    ("held-out pass@1, %", "eval/pass@1", 100, 1),
    ("well formed, %", "rl/format_share", 100, 1),
    ("tokens", "rl/response_length_mean", 1, 1),
    ("reflection words", "rl/reflection_words", 1, 2),
    ("language share, %", "rl/language_share", 100, 1),
    ("entropy, nats", "rl/entropy", 1, 3),
    ("KL to the base", "rl/ref_kl", 1, 3),
]


def read(run):
    summary = json.loads((run / "summary.json").read_text())
    metrics = [json.loads(line) for line in (run / "zero" / "metrics.jsonl").read_text().splitlines()]
    return {stage["id"]: stage for stage in summary["stages"]}, metrics, summary


def percent(interval):
    return f"{100 * interval['mean']:.1f}% [{100 * interval['lo']:.1f}, {100 * interval['hi']:.1f}]"


def row(name, stages, summary):
    base, zero = stages["base"], stages["zero"]
    length = zero["response_length"]
    cells = [name, percent(base["pass_at_1"]), percent(zero["pass_at_1"])]
    cells += [f"{100 * base['format_share']:.1f}% -> {100 * zero['format_share']:.1f}%", f"{length['first']:.1f} -> {length['last']:.1f}"]
    cells += [f"{summary['seconds']:.0f}", f"{summary['peak_bytes'] / 2**20:.0f} MiB"]
    return "| " + " | ".join(cells) + " |"


def mean_interval(values):
    if len(values) == 1:
        return f"{values[0]:.1f}"
    half = STUDENT[len(values)] * statistics.stdev(values) / len(values) ** 0.5
    return f"{statistics.mean(values):.1f} [{statistics.mean(values) - half:.1f}, {statistics.mean(values) + half:.1f}]"


def curve(runs, window):
    metrics = [metrics for _, metrics, _ in runs]
    n_steps = min(map(len, metrics))
    print("| steps | " + " | ".join(name for name, *_ in CURVE) + " |")
    print("| --- " * (len(CURVE) + 1) + "|")
    for start in range(0, n_steps, window):
        cells = [f"{start + 1} to {min(start + window, n_steps)}"]
        for _, key, scale, digits in CURVE:
            values = [line[key] for lines in metrics for line in lines[start : start + window] if key in line]
            cells.append(f"{scale * statistics.mean(values):.{digits}f}" if values else "")
        print("| " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--control", type=Path)
    parser.add_argument("--window", type=int, default=20)
    arguments = parser.parse_args()
    runs = [read(run) for run in arguments.runs]

    print("| seed | base, pass@1 | R1-Zero, pass@1 | well formed | tokens, first -> last tenth of the steps, at most 10 | seconds | peak memory |")
    print("| --- " * 7 + "|")
    for stages, _, summary in runs:
        print(row(str(summary["seed"]), stages, summary))
    if arguments.control:
        stages, metrics, summary = read(arguments.control)
        print(row(f"{summary['seed']}, control", stages, summary))
    rises = [100 * (stages["zero"]["pass_at_1"]["mean"] - stages["base"]["pass_at_1"]["mean"]) for stages, _, _ in runs]
    longer = [stages["zero"]["response_length"]["last"] - stages["zero"]["response_length"]["first"] for stages, _, _ in runs]
    print(f"\nRise of pass@1 over {len(runs)} seeds, points, with the 95% interval of its mean: {mean_interval(rises)}.")
    print(f"Growth of responses, tokens: {mean_interval(longer)}.")
    mismatch = max(line["rl/mismatch_max"] for _, metrics, _ in runs for line in metrics)
    print(f"Largest difference between a log-probability at sampling and in training, over all steps: {mismatch:g}.\n")
    kinds = sorted(runs[0][0]["zero"]["pass_at_1_by_kind"])
    print("| kind | base, pass@1 | R1-Zero, pass@1 |\n| --- | --- | --- |")
    for kind in kinds:
        values = [[100 * stages[stage]["pass_at_1_by_kind"][kind]["mean"] for stages, _, _ in runs] for stage in ("base", "zero")]
        print(f"| {kind} | " + " | ".join(f"{statistics.mean(v):.1f}% ({', '.join(f'{x:.1f}' for x in v)})" for v in values) + " |")
    print("\nOver the steps, means over the seeds:\n")
    curve(runs, arguments.window)
    if arguments.control:
        print("\nThe control:\n")
        curve([(stages, metrics, summary)], arguments.window)


main()
