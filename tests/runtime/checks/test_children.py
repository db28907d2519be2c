"""A process of its own may crash, hang or fail: the caller gets a sentence."""

import sys
from pathlib import Path

import pytest

from sasrec_runtime.checks.children import ChildError, run_module

WAYS = {
    "answers": "import sys, json; print('noise'); print(json.loads(sys.argv[1])['word'])",
    "crashes": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
    "hangs": "import time; time.sleep(60)",
    "raises": "raise ValueError('first\\nlast line')",
    "is silent": "pass",
    "exits": "raise SystemExit(7)",
}


@pytest.fixture
def module(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that ends in the way of the parameter."""
    (tmp_path / "a_child.py").write_text(WAYS[request.param], encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return "a_child"


@pytest.mark.parametrize("module", ["answers"], indirect=True)
def test_the_last_line_is_the_answer(module: str) -> None:
    assert run_module(module, {"word": "Käse"}, timeout_s=60) == "Käse"


@pytest.mark.parametrize(
    ("module", "timeout_s", "message"),
    [
        ("crashes", 60, r"its process crashed \(SIGSEGV\)"),
        ("hangs", 1, r"its process did not end within 1 s, and was stopped"),
        ("raises", 60, r"its process failed: last line"),
        ("is silent", 60, r"its process failed: exit code 0"),
        ("exits", 60, r"its process failed: exit code 7"),
    ],
    indirect=["module"],
)
def test_other_ends_are_errors(module: str, timeout_s: float, message: str) -> None:
    with pytest.raises(ChildError, match=message):
        run_module(module, {}, timeout_s=timeout_s)


def test_nothing_is_imported_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stray.py").write_text("print('imported')")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ChildError, match="No module named stray"):
        run_module("stray", {}, timeout_s=60)
