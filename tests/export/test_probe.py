"""A variant in a process of its own."""

import sys
from typing import Any

import pytest

from sasrec_export.errors import ExportError
from sasrec_export.report import probe

pytestmark = [pytest.mark.tf, pytest.mark.xdist_group("export")]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells the peak of memory here")
def test_a_process_of_its_own_takes_the_memory_of_a_runtime_and_not_that_of_this_one(bundle: Any) -> None:
    found = probe.probe(bundle.path, "onnx-wi8", threads=1)
    assert 20e6 < found["peak_memory_bytes"] < 150e6  # this process holds TensorFlow: some 500 MB
    assert 0 < found["loaded_memory_bytes"] < found["peak_memory_bytes"]


def test_times_are_positive(bundle: Any) -> None:
    found = probe.probe(bundle.path, "onnx-wi8", threads=1)
    assert found["load_ms"] > 0
    assert found["first_call_ms"] > 0


def test_a_process_that_fails_says_why(bundle: Any) -> None:
    with pytest.raises(ExportError, match=r"onnx-wi9: a process of its own could not run it: sasrec_runtime\.err"):
        probe.probe(bundle.path, "onnx-wi9", threads=1)
