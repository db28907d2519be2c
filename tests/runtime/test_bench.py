"""bench: the shape of its result; the numbers are the machine's."""

import sys
from pathlib import Path

import msgspec
import pytest

from sasrec_runtime.bench import bench
from sasrec_runtime.errors import MissingRuntimeError, RequestError, VariantError


def test_every_variant_is_timed(shared_bundle: Path) -> None:
    timings = bench(shared_bundle, calls=5, k=3)
    assert [timing.variant for timing in timings] == ["onnx-fp32", "onnx-inline"]
    for timing in timings:
        assert timing.p50_us <= timing.p90_us <= timing.p99_us
        assert all(value > 0 for value in list(msgspec.structs.asdict(timing).values())[1:])


def test_named_variants_are_timed_in_their_order(shared_bundle: Path) -> None:
    names = ["onnx-inline", "onnx-fp32"]
    assert [timing.variant for timing in bench(shared_bundle, names, calls=1, k=3)] == names


def test_bench_refuses_an_unknown_variant(shared_bundle: Path) -> None:
    with pytest.raises(VariantError, match="'wi8', expected one of"):
        bench(shared_bundle, ["wi8"])


def test_bench_refuses_no_calls(shared_bundle: Path) -> None:
    with pytest.raises(RequestError, match="calls is 0, expected at least 1"):
        bench(shared_bundle, calls=0)


def test_bench_says_why_nothing_can_run(shared_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingRuntimeError, match=r"No variant of .* can run here"):
        bench(shared_bundle, calls=1)
