"""Verdicts of `ruminate grade --serve` from a trainer in Python.

    ruminate grade --serve 127.0.0.1:8100 &
    pip install requests
    python examples/grade_client.py http://127.0.0.1:8100

`reward_math` and `reward_code` have the signature that GRPO trainers ask of a reward function: a list of completions in, a list of
floats out.
"""

import sys

import requests


class Grader:
    """Asks one server; batches go in one request."""

    def __init__(self, base_url: str, timeout: float = 600.0):
        self.base_url = base_url.rstrip("/")
        self.timeout = timeout
        self.session = requests.Session()

    def grade(self, kind: str, lines: list[dict]) -> list[dict]:
        """One verdict for each line, in order. A line that could not be graded raises: it is not a wrong answer."""
        reply = self.session.post(f"{self.base_url}/grade/{kind}", json=lines, timeout=self.timeout)
        if not reply.ok:
            raise RuntimeError(f"{reply.status_code}: {reply.text}")
        verdicts = reply.json()
        for line, verdict in zip(lines, verdicts):
            if "error" in verdict:
                raise ValueError(f"{line.get('id')}: {verdict['error']}")
        return verdicts

    def reward_math(self, completions: list[str], golds: list[str]) -> list[float]:
        # Without "worked_out" a policy learns to answer 24*6-8-39 where 97 is asked for.
        lines = [{"id": i, "gold": gold, "pred": text, "worked_out": True} for i, (gold, text) in enumerate(zip(golds, completions))]
        return [float(verdict["verdict"] == "equal") for verdict in self.grade("math", lines)]

    def reward_code(self, programs: list[str], tests: list[list[dict]], language: str = "python") -> list[float]:
        """The share of passed tests."""
        lines = [
            {"id": i, "language": language, "program": program, "tests": cases, "limits": {"seconds": 5, "mebibytes": 512}}
            for i, (program, cases) in enumerate(zip(programs, tests))
        ]
        return [verdict["passed"] / max(verdict["total"], 1) for verdict in self.grade("code", lines)]


def main() -> None:
    grader = Grader(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8100")
    completions = ["So the answer is \\boxed{\\frac{1}{2}}.", "I get <answer>0.7</answer>."]
    print("math    ", grader.reward_math(completions, ["0.5", "0.5"]))
    print("format  ", grader.grade("format", [{"id": 1, "completion": "<think>a</think><answer>b</answer>", "form": "think_answer"}]))
    print("language", grader.grade("language", [{"id": 1, "text": "first we add 等等 and then we stop", "target": "en"}]))
    print("code    ", grader.reward_code(["def f(x):\n    return x + 1\n"], [[{"call": "f", "args": [1], "expect": 2}]]))


if __name__ == "__main__":
    main()
