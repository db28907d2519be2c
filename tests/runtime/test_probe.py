"""A variant in a process of its own; test_bench.py has what `bench` makes of it."""

import sys
from pathlib import Path

import pytest

from sasrec_runtime.checks import probe
from sasrec_runtime.engines.options import SessionOptions
from sasrec_runtime.errors import RequestError

linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells the peak of memory here")


@linux_only
def test_the_peak_is_that_of_a_runtime_and_not_of_this_process(shared_bundle: Path) -> None:
    ballast = bytearray(400 << 20)  # what this process holds is not the child's
    measured = probe.probe(shared_bundle, "onnx-fp32", k=3)
    del ballast
    assert measured.peak_memory_bytes is not None
    assert measured.loaded_memory_bytes is not None
    assert 20e6 < measured.peak_memory_bytes < 150e6
    assert 0 < measured.loaded_memory_bytes < measured.peak_memory_bytes


def test_times_are_positive_with_any_options(shared_bundle: Path) -> None:
    measured = probe.probe(shared_bundle, "onnx-fp32", k=3, options=SessionOptions(threads=2, arena=False))
    assert measured.load_ms > 0
    assert measured.first_call_ms > 0


def test_the_peak_is_unknown_where_the_system_does_not_tell_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(probe, "STATUS", tmp_path / "none")
    assert probe.peak_bytes() is None


def test_a_process_that_fails_says_why(shared_bundle: Path) -> None:
    with pytest.raises(RequestError, match=r"variant onnx-wi9 cannot be timed: .*'onnx-wi9', expected one of"):
        probe.probe(shared_bundle, "onnx-wi9", k=3)
