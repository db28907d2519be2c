"""bench: the shape of its result; the numbers are the machine's."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sasrec_runtime.checks import probe
from sasrec_runtime.checks.bench import bench
from sasrec_runtime.checks.children import ChildError
from sasrec_runtime.errors import MissingRuntimeError, RequestError, VariantError


def test_every_variant_is_timed(shared_bundle: Path) -> None:
    timings = bench(shared_bundle, calls=5, k=3)
    assert [timing.variant for timing in timings] == ["onnx-fp32", "onnx-inline"]
    for timing in timings:
        assert timing.p50_us <= timing.p90_us <= timing.p99_us
        assert min(timing.load_ms, timing.first_call_ms, timing.p50_us, timing.session_p50_us) > 0
        assert set(timing.rows_per_s) == {"1", "8", "64", "256"}
        assert min(timing.rows_per_s.values()) > 0


@pytest.mark.skipif(not probe.ROLLUP.exists(), reason="no /proc/self/smaps_rollup")
def test_memory_is_what_loading_added_to_a_fresh_process(shared_bundle: Path) -> None:
    timing = bench(shared_bundle, ["onnx-fp32"], calls=1, k=3, batch_sizes=[])[0]
    assert 0 < timing.anonymous_mib <= timing.resident_mib < 100


def test_memory_is_unknown_where_the_system_does_not_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(probe, "ROLLUP", tmp_path / "none")
    assert probe.mebibytes() == {"Rss": None, "Anonymous": None}


def test_the_probe_can_be_called_at_its_public_place(shared_bundle: Path) -> None:
    request = {"bundle": str(shared_bundle), "variant": "onnx-fp32", "options": {}, "k": 3}
    line = [sys.executable, "-m", "sasrec_runtime.memory", json.dumps(request)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {"load_ms", "first_call_ms", "resident_mib", "anonymous_mib"} <= set(json.loads(done.stdout))


def test_batches_have_the_sizes_asked_for(shared_bundle: Path) -> None:
    assert list(bench(shared_bundle, ["onnx-fp32"], calls=1, k=3, batch_sizes=[5])[0].rows_per_s) == ["5"]


def test_without_batches_and_fresh_processes_only_calls_are_timed(
    shared_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "run_module", lambda *_, **__: pytest.fail("a process was started"))
    (timing,) = bench(shared_bundle, ["onnx-fp32"], calls=2, k=3, batch_sizes=(), fresh=False)
    assert timing.p50_us > 0
    assert timing.rows_per_s == {}
    assert (timing.load_ms, timing.first_call_ms, timing.resident_mib, timing.anonymous_mib) == (None,) * 4


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


@pytest.mark.parametrize("k", [0, -1, 8, 10**5000], ids=["zero", "negative", "too large", "5,001 digits"])
def test_bench_refuses_a_k_before_anything_runs(shared_bundle: Path, monkeypatch: pytest.MonkeyPatch, k: int) -> None:
    monkeypatch.setattr(probe, "run_module", lambda *_, **__: pytest.fail("a process was started"))
    with pytest.raises(RequestError, match=r"^k is .*, expected 1…7\. The catalogue has 7 items\.$"):
        bench(shared_bundle, calls=1, k=k)


def test_bench_says_what_its_process_says(shared_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "run_module", lambda *_, **__: '{"error": "a sentence."}')
    with pytest.raises(RequestError, match=r"variant onnx-fp32 cannot be timed: a sentence\."):
        bench(shared_bundle, calls=1, k=3)


def test_bench_says_that_its_process_crashed(shared_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object, **__: object) -> str:
        raise ChildError("its process crashed (SIGSEGV)")

    monkeypatch.setattr(probe, "run_module", crash)
    with pytest.raises(RequestError, match=r"variant onnx-fp32 cannot be timed: its process crashed \(SIGSEGV\)\. Run"):
        bench(shared_bundle, calls=1, k=3)
