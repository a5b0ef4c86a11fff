"""Ruminate against PyTorch on this machine: rounds of one after the other, medians over rounds, ratio of each pair.

    cargo build --release
    python benches/compare.py --output benches/results/NAME.md

Needs PyTorch. PyTorch is tried as it is and under torch.compile; the faster of the two is the one that counts.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import time
from pathlib import Path

import torch
from torch_reference import Decode, TrainStep, throughput

ROOT = Path(__file__).resolve().parent.parent
ROWS = {
    "train-tiny": ("train", "tiny", (32, 128), 1.5, 3.0),
    "decode-tiny": ("decode", "tiny", (64, 32, 96), 3.0, 3.0),
    "train-smollm2": ("train", "smollm2-135m", (2, 256), 1.0, 8.0),
    "decode-smollm2": ("decode", "smollm2-135m", (8, 64, 64), 1.0, 8.0),
}


def ruminate(binary, work, shape, sizes, seconds):
    """The report of `ruminate bench`."""
    flags = ("--sequences", "--sequence-tokens") if work == "train" else ("--batch", "--prompt-tokens", "--new-tokens")
    command = [binary, "bench", "--json", "--only", work, "--shape", shape, "--seconds", seconds]
    command += [item for pair in zip(flags, sizes) for item in pair]
    environment = os.environ | {"RAYON_NUM_THREADS": str(torch.get_num_threads())}
    output = subprocess.run([str(item) for item in command], check=True, capture_output=True, text=True, env=environment).stdout
    return json.loads(output)


def references(work, shape, sizes, compile_too):
    """PyTorch's ways of doing the work, warmed up."""
    make = TrainStep if work == "train" else Decode
    found = {}
    for name, compiled in [("eager", False), ("torch.compile", True)][: 2 if compile_too else 1]:
        try:
            reference, since = make(shape, *sizes, compiled=compiled), time.perf_counter()
            reference()
            reference()
            found[name] = reference
            print(f"  PyTorch {name}: ready after {time.perf_counter() - since:.0f} s", flush=True)
        except Exception as error:  # torch.compile needs a C++ compiler
            print(f"  PyTorch {name}: {type(error).__name__}: {error}", flush=True)
    return found


def compare(row, binary, rounds, compile_too):
    work, shape, sizes, goal, seconds = ROWS[row]
    print(f"{row}: {work} {shape} {sizes}", flush=True)
    found = references(work, shape, sizes, compile_too)
    ours, theirs, peak = [], {name: [] for name in found}, 0
    for i in range(rounds):
        report = ruminate(binary, work, shape, sizes, seconds)
        ours.append(report[work]["median_tokens_per_second"])
        peak = max(peak, report["peak_bytes"] or 0)
        for name, reference in found.items():
            theirs[name].append(throughput(reference, seconds))
        speeds = ", ".join(f"{name} {values[-1]:.0f}" for name, values in theirs.items())
        print(f"  round {i + 1}: ruminate {ours[-1]:.0f}, {speeds} tokens/s", flush=True)
    best = max(theirs, key=lambda name: statistics.median(theirs[name]))
    ratios = [a / b for a, b in zip(ours, theirs[best])]
    return {
        "row": row,
        "sizes": "x".join(map(str, sizes)),
        "ruminate": statistics.median(ours),
        "eager": statistics.median(theirs["eager"]),
        "compiled": statistics.median(theirs["torch.compile"]) if "torch.compile" in theirs else None,
        "ratio": statistics.median(ratios),
        "lowest": min(ratios),
        "highest": max(ratios),
        "goal": goal,
        "peak": peak,
    }


def machine():
    with open("/proc/cpuinfo") as lines:
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    git = lambda *arguments: subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    dirty = " with uncommitted changes" if git("status", "--porcelain", "--", "crates", "Cargo.toml", "Cargo.lock") else ""
    rustc = subprocess.run(["rustc", "--version"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    return [
        f"- Commit {git('rev-parse', '--short', 'HEAD')}{dirty}, {time.strftime('%Y-%m-%d', time.gmtime())}",
        f"- {model}, {torch.get_num_threads()} threads each",
        f"- {rustc}; PyTorch {torch.__version__}, Python {platform.python_version()}",
    ]


def table(results):
    lines = [
        "| work | sizes | Ruminate, tokens/s | PyTorch eager | torch.compile | ratio to the faster (lowest to highest) | goal | peak memory |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for r in results:
        compiled = f"{r['compiled']:,.0f}" if r["compiled"] else "not measured"
        lines.append(
            f"| {r['row']} | {r['sizes']} | {r['ruminate']:,.0f} | {r['eager']:,.0f} | {compiled} "
            f"| {r['ratio']:.2f} ({r['lowest']:.2f} to {r['highest']:.2f}) | {r['goal']:g} | {r['peak'] / 2**20:,.0f} MiB |"
        )
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2, help="of each side; 1 on a busy machine, where OpenMP's barriers stall")
    parser.add_argument("--binary", type=Path, default=ROOT / "target" / "release" / "ruminate")
    parser.add_argument("--no-compile", action="store_true", help="do not try torch.compile")
    parser.add_argument("--note", help="a line about the circumstances")
    parser.add_argument("--output", type=Path, help="write the table there")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    results = [compare(row, arguments.binary, arguments.rounds, not arguments.no_compile) for row in arguments.rows]
    text = "\n".join(["# Ruminate and PyTorch on a CPU", "", *machine(), f"- {arguments.rounds} rounds; medians", *([f"- {arguments.note}"] if arguments.note else []), "", *table(results), ""])
    print(text)
    if arguments.output:
        arguments.output.write_text(text)


if __name__ == "__main__":
    main()
