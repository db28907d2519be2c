"""The code in runtime/README.md runs, and BUNDLE.md numbers its sentences without a gap."""

import re
from pathlib import Path

import pytest

RUNTIME = Path(__file__).parents[2] / "runtime"

# The tiny bundle has other keys than the data set of the example.
TINY_KEYS = {'"50"': '"apple"', '"181"': '"bread"', '"172"': '"figs"'}


def test_the_example_runs(shared_bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (RUNTIME / "README.md").read_text(), re.DOTALL)
    for key, tiny_key in TINY_KEYS.items():
        code = code.replace(key, tiny_key)
    monkeypatch.chdir(shared_bundle.parent)
    exec(compile(code, "runtime/README.md", "exec"), {})
    assert capsys.readouterr().out.splitlines() == [
        "eggs 4.0 Ten eggs",
        "cheese 2.0 Old cheese",
        "dates 0.0 Dates",
        "grapes -2.0 None",
        "no history: these are the most popular items",
    ]


def test_the_sentences_of_the_format_are_numbered_in_order() -> None:
    numbers = re.findall(r"^(\d+)\. ", (RUNTIME / "BUNDLE.md").read_text(), re.MULTILINE)
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
