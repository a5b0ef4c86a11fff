"""Ruminate's maths verifier against Math-Verify on the same pairs, in the same run, on one core each.

    cargo build --release -p ruminate-rewards --examples
    python benches/math_verifier.py --peer-python PYTHON --answers FOLDER --output benches/results/NAME.md

PYTHON is an interpreter with math-verify 0.9.0; without it a virtual environment is made and math-verify installed by pip.
FOLDER holds real answers (see the example `math_pairs`); without it the set is the built one alone.
Math-Verify's own test cases come from its source distribution, which pip fetches; nothing of it is kept.
Both get the same response text. Math-Verify's gold answers are put between dollars, as it wants them.
"""

import argparse
import collections
import contextlib
import importlib
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEER = "math-verify==0.9.0"
# A single input may keep Math-Verify busy for this long before it is stopped.
HOSTILE_SECONDS = 15
FUZZING = "## Fuzzing"


# --- The peer's side, which runs in its own interpreter ---


def peer_configs(family):
    from math_verify import ExprExtractionConfig, LatexExtractionConfig, StringExtractionConfig

    configs = [LatexExtractionConfig(), ExprExtractionConfig()]
    return configs + [StringExtractionConfig()] if family == "choices" else configs


def peer_gold(gold):
    """The gold answer between dollars, unless it has a mark of its own."""
    return gold if "$" in gold.replace("\\$", "") or "\\boxed" in gold else f"${gold}$"


def peer_pairs():
    """Judges pairs from standard input: `{id, equal, seconds}` for each."""
    import logging

    from math_verify import parse, verify

    logging.disable(logging.CRITICAL)
    # The first call compiles its expressions; that is not the pairs' fault.
    verify(parse("$1$"), parse("$\\boxed{1}$"))
    for line in sys.stdin:
        pair = json.loads(line)
        since = time.process_time()
        try:
            configs = peer_configs(pair["family"])
            equal = bool(verify(parse(peer_gold(pair["gold"]), configs), parse(pair["response"], configs)))
        except Exception:
            equal = False
        print(json.dumps({"id": pair["id"], "equal": equal, "seconds": time.process_time() - since}), flush=True)


def peer_cases(folder):
    """Math-Verify's own parametrised tests: `{gold, response, expected, equal, plain, where}` for each.

    `equal` is its verdict with the options of the test, `plain` the one without options.
    """
    import logging

    from math_verify import parse, verify

    logging.disable(logging.CRITICAL)
    tables = []

    def parametrize(names, cases):
        names = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
        return lambda test: tables.append((test, names, cases)) or test

    # Only the tables of cases are wanted, not the test runner.
    pytest = types.ModuleType("pytest")
    pytest.mark = types.SimpleNamespace(parametrize=parametrize)
    pytest.param = lambda *values, **_: values
    pytest.raises = contextlib.nullcontext
    pytest.fixture = lambda *arguments, **_: arguments[0] if arguments else lambda test: test
    sys.modules["pytest"] = pytest
    sys.path.insert(0, str(folder))
    for path in sorted(Path(folder, "tests").glob("test_*.py")):
        importlib.import_module(f"tests.{path.stem}")
    for test, names, cases in tables:
        for case in cases:
            values = dict(zip(names, case))
            expected = values.get("expected", values.get("result"))
            if "gold" not in values or "pred" not in values or expected is None:
                continue
            try:
                test(**values)
                equal = bool(expected)
            except AssertionError:
                equal = not expected
            plain = bool(verify(parse(values["gold"]), parse(values["pred"])))
            case = {"gold": values["gold"], "response": values["pred"], "expected": bool(expected)}
            print(json.dumps({**case, "equal": equal, "plain": plain, "where": f"{test.__module__}.{test.__name__}"}))


# --- This side ---


def lines(text):
    # A line separator of Unicode is part of a line here.
    return [json.loads(line) for line in text.split("\n") if line]


def dumped(items):
    return "".join(json.dumps(item) + "\n" for item in items)


def example(name, profile, *arguments, text=None):
    """The output of one of our examples."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    binary = target / profile / "examples" / name
    if not binary.exists():
        sys.exit(f"expected {binary}; run: cargo build --release -p ruminate-rewards --examples")
    return lines(subprocess.run([str(binary), *map(str, arguments)], input=text, check=True, capture_output=True, text=True).stdout)


def judged(items, profile):
    """Our verdicts on items with `gold` and `response`, in order."""
    return example("math_judge", profile, text=dumped([{"id": i, "gold": item["gold"], "response": item["response"]} for i, item in enumerate(items)]))


def peer(python, mode, *arguments, text=None, timeout=None):
    command = [str(python), str(Path(__file__).resolve()), "--mode", mode, *map(str, arguments)]
    run = subprocess.run(command, input=text, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=timeout)
    return lines(run.stdout)


def peer_interpreter(given, folder):
    """An interpreter with Math-Verify."""
    if given:
        return given
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    python = folder / "venv" / "bin" / "python"
    subprocess.run([str(python), "-m", "pip", "install", "-q", PEER, "latex2sympy2_extended[antlr4_13_2]"], check=True)
    return python


def own_cases(python, folder):
    """Math-Verify's own test cases with its verdicts."""
    command = [str(python), "-m", "pip", "download", "-q", "--no-binary", "math-verify", "--no-deps", PEER, "-d", str(folder)]
    subprocess.run(command, check=True)
    with tarfile.open(next(folder.glob("math_verify-*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    return peer(python, "cases", next(path for path in folder.glob("math_verify-*") if path.is_dir()))


def accuracy(pairs, verdicts):
    """Rows by family: `[n, false negatives, false positives]`."""
    rows = collections.defaultdict(lambda: [0, 0, 0])
    for pair, equal in zip(pairs, verdicts):
        row = rows[pair["family"]]
        row[0] += 1
        row[1] += pair["equal"] and not equal
        row[2] += equal and not pair["equal"]
    return rows


def totals(rows):
    n, negatives, positives = (sum(column) for column in zip(*rows.values()))
    return n, negatives, positives, 100 * (n - negatives - positives) / n


class Patient:
    """Math-Verify in a process that is started anew when an input takes too long."""

    def __init__(self, python):
        self.command = [str(python), str(Path(__file__).resolve()), "--mode", "pairs"]
        self.process = None

    def seconds(self, gold, response):
        """CPU seconds for one input; infinite if it failed or took longer than `HOSTILE_SECONDS`."""
        if self.process is None:
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = dumped([{"id": 0, "family": "hostile", "gold": gold, "response": response}])
        answers = []

        def ask():
            with contextlib.suppress(OSError):
                self.process.stdin.write(line)
                self.process.stdin.flush()
                answers.append(self.process.stdout.readline())

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        thread.join(HOSTILE_SECONDS)
        if answers and answers[0]:
            return json.loads(answers[0])["seconds"]
        self.close()
        thread.join()
        return float("inf")

    def close(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.process = None


def hostile(python, profile):
    """Our times of all hostile inputs in seconds, and rows of `(name, ours, verdict, the peer's)`, one for each name."""
    items = example("math_pairs", profile, "--hostile")
    ours = judged(items, profile)
    patient, rows = Patient(python), {}
    # One judgement before, so that starting it is not counted.
    patient.seconds("5", "\\boxed{5}")
    for item, verdict in zip(items, ours):
        if item["name"] not in rows:
            rows[item["name"]] = (item["name"], verdict["nanos"] / 1e9, verdict["verdict"], patient.seconds(item["gold"], item["response"]))
            if patient.process is None:
                patient.seconds("5", "\\boxed{5}")
    patient.close()
    return [verdict["nanos"] / 1e9 for verdict in ours], list(rows.values())


def machine(python):
    with open("/proc/cpuinfo") as info:
        model = next((line.split(":", 1)[1].strip() for line in info if line.startswith("model name")), platform.processor())
    output = lambda *command: subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()
    dirty = " with uncommitted changes" if output("git", "status", "--porcelain", "--", "crates", "Cargo.lock") else ""
    version = output(str(python), "-c", "import importlib.metadata as m; print(m.version('math-verify'), m.version('sympy'))").split()
    return [
        f"- Commit {output('git', 'rev-parse', '--short', 'HEAD')}{dirty}, {time.strftime('%Y-%m-%d', time.gmtime())}",
        f"- {model}, one core each; {output('rustc', '--version')}",
        f"- Math-Verify {version[0]} with SymPy {version[1]} on {output(str(python), '--version')}",
    ]


def report(results, profile):
    """The results as Markdown."""
    ours, theirs, sample = results["ours"], results["theirs"], results["sample"]
    n, negatives, positives, right = totals(ours)
    text = ["## Pairs", "", "| judge | pairs | right | false negatives | false positives |", "| --- | --- | --- | --- | --- |"]
    text.append(f"| Ruminate, all pairs | {n:,} | {right:.2f}% | {negatives} | {positives} |")
    for name, rows in [("Ruminate, the sample", sample), ("Math-Verify, the sample", theirs)]:
        n, negatives, positives, right = totals(rows)
        text.append(f"| {name} | {n:,} | {right:.2f}% | {negatives} | {positives} |")
    speed = results["speed"]
    text += [
        "",
        f"Time per pair of the sample, `{profile}` profile: Ruminate median {speed['ours_median'] * 1e6:.1f} µs, mean {speed['ours_mean'] * 1e6:.1f} µs "
        f"({1 / speed['ours_mean']:,.0f} pairs a second);",
        f"Math-Verify median {speed['theirs_median'] * 1e3:.2f} ms, mean {speed['theirs_mean'] * 1e3:.2f} ms of CPU ({1 / speed['theirs_mean']:.0f} pairs a second).",
        f"Throughput {speed['theirs_mean'] / speed['ours_mean']:,.0f} to 1.",
        "",
        "## By family",
        "",
        "False negatives and false positives: of Ruminate on all pairs, of both on the sample.",
        "",
        "| family | pairs | Ruminate | sample | Ruminate | Math-Verify |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for family, (n, negatives, positives) in ours.items():
        some, other = sample.get(family, [0, 0, 0]), theirs.get(family, [0, 0, 0])
        text.append(f"| {family} | {n} | {negatives} + {positives} | {some[0]} | {some[1]} + {some[2]} | {other[1]} + {other[2]} |")
    if results["cases"]:
        n, our_right, peer_right, plain_right = results["cases"]
        text += [
            "",
            "## Math-Verify's own test cases",
            "",
            f"Of {n} cases with a gold answer and a prediction, by what Math-Verify's tests expect: Ruminate {our_right} right;",
            f"Math-Verify {peer_right} with the options that each test sets, {plain_right} without options.",
        ]
    if results["hostile"]:
        times, rows = results["hostile"]
        slow = [row for row in rows if row[3] > 1]
        text += [
            "",
            "## Hostile inputs",
            "",
            f"Ruminate on {len(times)} inputs: at most {max(times) * 1e3:.1f} ms, median {statistics.median(times) * 1e6:,.0f} µs.",
            f"Math-Verify on {len(rows)} of them (those against the gold answer 5): more than a second on {len(slow)}, which are listed.",
            "",
            "| input | Ruminate, ms | verdict | Math-Verify, s |",
            "| --- | --- | --- | --- |",
        ]
        for name, seconds, verdict, peer_seconds in slow:
            shown = f"{peer_seconds:.1f}" if peer_seconds < HOSTILE_SECONDS else f"failed or over {HOSTILE_SECONDS}"
            text.append(f"| {name} | {seconds * 1e3:.2f} | {verdict} | {shown} |")
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mode", choices=["compare", "pairs", "cases"], default="compare", help=argparse.SUPPRESS)
    parser.add_argument("folder", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("--peer-python", help="an interpreter with math-verify 0.9.0")
    parser.add_argument("--answers", help="folder with real answers")
    parser.add_argument("--sample", type=int, default=3000, help="pairs that both judge")
    parser.add_argument("--profile", default="release", choices=["release", "debug"])
    parser.add_argument("--no-hostile", action="store_true")
    parser.add_argument("--no-cases", action="store_true")
    parser.add_argument("--failures", type=Path, help="write our wrong verdicts there, as JSON lines")
    parser.add_argument("--output", type=Path, help="write the report there")
    options = parser.parse_args()
    if options.mode == "pairs":
        return peer_pairs()
    if options.mode == "cases":
        return peer_cases(options.folder)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = peer_interpreter(options.peer_python, folder)
        pairs = example("math_pairs", options.profile, *([options.answers] if options.answers else []))
        verdicts = judged(pairs, options.profile)
        equal = [verdict["verdict"] == "equal" for verdict in verdicts]
        chosen = sorted(random.Random(1).sample(range(len(pairs)), min(options.sample, len(pairs))))
        some = [pairs[i] for i in chosen]
        print(f"{len(pairs)} pairs; Math-Verify judges {len(some)}", flush=True)
        others = peer(python, "pairs", text=dumped(some))
        cases = own_cases(python, folder) if not options.no_cases else []
        our_cases = [verdict["verdict"] == "equal" for verdict in judged(cases, options.profile)]
        our_seconds, their_seconds = [verdicts[i]["nanos"] / 1e9 for i in chosen], [other["seconds"] for other in others]
        results = {
            "ours": accuracy(pairs, equal),
            "sample": accuracy(some, [equal[i] for i in chosen]),
            "theirs": accuracy(some, [other["equal"] for other in others]),
            "speed": {
                "ours_median": statistics.median(our_seconds),
                "ours_mean": statistics.mean(our_seconds),
                "theirs_median": statistics.median(their_seconds),
                "theirs_mean": statistics.mean(their_seconds),
            },
            "cases": cases and (
                len(cases),
                sum(case["expected"] == equal for case, equal in zip(cases, our_cases)),
                sum(case["expected"] == case["equal"] for case in cases),
                sum(case["expected"] == case["plain"] for case in cases),
            ),
            "hostile": None if options.no_hostile else hostile(python, options.profile),
        }
        if options.failures:
            wrong = [{**pair, **verdict} for pair, verdict in zip(pairs, verdicts) if pair["equal"] != (verdict["verdict"] == "equal")]
            options.failures.write_text(dumped(wrong))
        text = ["# The maths verifier and Math-Verify", "", *machine(python), "", *report(results, options.profile)]
        print("\n".join(text))
        if options.output:
            # What was recorded about fuzzing by hand stays.
            old = options.output.read_text() if options.output.exists() else ""
            by_hand = old[old.index(FUZZING) :] if FUZZING in old else ""
            options.output.write_text("\n".join(text) + "\n" + (f"\n{by_hand}" if by_hand else ""))


if __name__ == "__main__":
    main()
