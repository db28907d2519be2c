"""How a session computes: options reach onnxruntime, and a provider that is absent is named."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sasrec_export.cli import main
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.engines.open import open_session
from sasrec_runtime.engines.options import CPU, SessionOptions, provider_names
from sasrec_runtime.errors import MissingRuntimeError, ProviderError, RequestError
from sasrec_runtime.recommender import Recommender

ORT = SimpleNamespace(
    __version__="1.32.0", get_available_providers=lambda: ["CoreMLExecutionProvider", "CPUExecutionProvider"]
)


@pytest.fixture
def opened(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The options of every onnxruntime session that is opened."""
    import onnxruntime

    seen: list[Any] = []
    inner = onnxruntime.InferenceSession
    monkeypatch.setattr(
        onnxruntime,
        "InferenceSession",
        lambda path, options, **rest: (seen.append(options), inner(path, options, **rest))[1],
    )
    return seen


def spinning(options: Any) -> str:
    try:
        return str(options.get_session_config_entry("session.intra_op.allow_spinning"))
    except Exception:  # noqa: BLE001 - onnxruntime raises its own for an entry that is not set
        return "unset"


@pytest.mark.parametrize(
    ("options", "threads", "spins", "arena"),
    [
        ({}, 1, "unset", True),
        ({"threads": 2}, 2, "0", True),
        ({"threads": 2, "spinning": True}, 2, "unset", True),
        ({"arena": False}, 1, "unset", False),
    ],
)
def test_options_reach_onnxruntime(
    bundle: Bundle, opened: list[Any], options: Any, threads: int, spins: str, arena: bool
) -> None:
    Recommender.load(bundle, variant="onnx-fp32", **options)
    assert opened[0].intra_op_num_threads == threads
    assert spinning(opened[0]) == spins
    assert opened[0].enable_cpu_mem_arena is arena


@pytest.mark.parametrize("options", [{"threads": 2, "spinning": True}, {"arena": False}, {"providers": ("CPU",)}])
def test_options_change_no_answer(bundle: Bundle, options: Any) -> None:
    answers = [Recommender.load(bundle, **chosen).recommend(["apple", "bread"], 4) for chosen in (options, {})]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("name", ["coreml", "CoreML", "CoreMLExecutionProvider"])
def test_a_provider_has_a_short_name_and_the_cpu_comes_last(name: str) -> None:
    assert provider_names(ORT, ("cpu", name)) == ["CoreMLExecutionProvider", CPU]


def test_no_provider_means_the_cpu() -> None:
    assert provider_names(ORT, ()) == [CPU]


def test_an_absent_provider_is_an_error_that_names_those_there_are(bundle: Bundle) -> None:
    with pytest.raises(ProviderError, match=r"execution provider is 'cuda', expected one of .*CPUExecutionProvider"):
        open_session(bundle, bundle.variant("onnx-fp32"), providers=("cuda",))
    assert issubclass(ProviderError, MissingRuntimeError)


def test_a_provider_that_onnxruntime_leaves_out_is_an_error(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["XnnpackExecutionProvider", CPU])
    monkeypatch.setattr(
        onnxruntime,
        "InferenceSession",
        lambda *_, **__: SimpleNamespace(get_providers=lambda: [CPU]),
    )
    with pytest.raises(ProviderError, match=r"XnnpackExecutionProvider, which onnxruntime .* cannot start here"):
        open_session(bundle, bundle.variant("onnx-fp32"), providers=("xnnpack",))


@pytest.mark.tf
def test_litert_has_no_providers(tflite_bundle: Path) -> None:
    with pytest.raises(ProviderError, match=r"'xnnpack', but variant tflite-fp32 runs on LiteRT"):
        Recommender.load(tflite_bundle, variant="tflite-fp32", providers=("xnnpack",))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threads": 0}, "threads is 0, expected a whole number in 1…1024"),
        ({"threads": 1025}, "threads is 1025, expected a whole number in 1…1024"),
        pytest.param({"threads": 10**5000}, "threads is a value of type int, too long to show", id="5,001 digits"),
        ({"threads": 1.5}, "threads is 1.5, expected a whole number"),
        ({"verify": "md5"}, "verify is 'md5', expected digests, sizes or None"),
        ({"providers": "cpu"}, "providers is the single text 'cpu'"),
    ],
)
def test_options_that_cannot_be_are_refused(options: Any, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        SessionOptions(**options)


def test_the_command_line_names_the_providers_there_are(runner: Any, shared_bundle: Path) -> None:
    result = runner.invoke(main, ["recommend", str(shared_bundle), "apple", "-k", "3", "--provider", "cuda"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "execution provider is 'cuda', expected one of" in result.stderr


@pytest.mark.parametrize(("history", "exclude"), [((0, 3), (0, 0)), ((2, 0), (2, 0))], ids=["no rows", "no columns"])
def test_empty_arrays_have_empty_or_padding_answers(bundle: Bundle, history: Any, exclude: Any) -> None:
    session = open_session(bundle, bundle.variant("onnx-fp32"))
    items, scores = session.recommend(np.zeros(history, np.int32), np.zeros(exclude, np.int32), 3)
    assert items.shape == scores.shape == (history[0], 3)
    assert np.isfinite(scores).all()


def test_no_candidates_have_no_scores(session: Any) -> None:
    scores = session.score(np.ones((2, 1), np.int32), np.empty((2, 0), np.int32))
    assert (scores.shape, scores.dtype) == ((2, 0), np.float32)


@pytest.mark.parametrize("providers", [5, None, [5], {"cpu"}, bytearray(b"12"), range(3), ["cpu", 2.5], [["cpu"]]])
def test_providers_that_are_not_names_are_refused(providers: object) -> None:
    with pytest.raises(RequestError, match=r"providers is .*, expected a sequence of names"):
        SessionOptions(providers=providers)
