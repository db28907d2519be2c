"""The attack of tools/attack counts what it should: a tool that sees nothing wrong must be able to."""

import subprocess
import sys
from pathlib import Path

import pytest

ATTACK = Path(__file__).parents[2] / "tools" / "attack"
SCRIPTS = ("all", "answers", "calls", "cli", "flips", "force", "inputs", "kills", "manifest", "race", "runs")

EXPERIMENT = """
import os, signal, sys, time
sys.path.insert(0, sys.argv[1])
import children, tally
from sasrec_runtime.errors import BundleError
from sasrec_train.errors import RunError

def attempt(case):
    case.begins(f"case {case.number}", "tried")
    if case.number == 0: return
    if case.number == 1: raise BundleError("refused")
    if case.number == 2: raise RunError("refused")
    if case.number == 3: os.kill(os.getpid(), signal.SIGSEGV)
    if case.number == 4: time.sleep(60)
    if case.number == 5: raise IndexError("list index out of range")
    if case.number == 6: raise tally.Wrong("believed")
    if case.number == 7: case.counts(right=10, refused=5); case.wrong("law", "broken")
    if case.number == 8: bytearray(8 << 30)
    if case.number == 9: os._exit(3)

sys.exit(children.run(children.How(range(int(sys.argv[2]), int(sys.argv[3])), 0, 5, 2.0, 1), attempt))
"""
ROWS = {
    0: "1 | 0 | 1 | 0 |",
    1: "1 | 1 | 0 | 0 |",
    2: "1 | 1 | 0 | 0 |",
    3: "1 | 0 | 0 | 1: 1 crash SIGSEGV |",
    4: "1 | 0 | 0 | 1: 1 hang |",
    5: "1 | 0 | 0 | 1: 1 IndexError |",
    6: "1 | 0 | 0 | 1: 1 believed |",
    7: "16 | 5 | 10 | 1: 1 law |",
    8: "1 | 0 | 0 | 1: 1 MemoryError |",
    9: "1 | 0 | 0 | 1: 1 exit 3 unsaid |",
}


def run(first: int, last: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", EXPERIMENT, str(ATTACK), str(first), str(last)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_each_end_of_a_case_is_counted_as_what_it_is() -> None:
    done = run(0, len(ROWS))
    assert done.returncode == 1, done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith("| case")] == [
        f"| case {number} | {row}" for number, row in ROWS.items()
    ]
    assert "--only 5" in done.stdout


def test_nothing_wrong_ends_with_0() -> None:
    done = run(0, 3)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_has_help(script: str) -> None:
    done = subprocess.run(
        [sys.executable, str(ATTACK / f"{script}.py"), "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Options:" in done.stdout
