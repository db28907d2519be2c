"""Fixtures of the runtime tests."""

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from runtime import tiny
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.engines.contract import Session
from sasrec_runtime.engines.fixed_shapes import FittedSession
from sasrec_runtime.engines.open import open_session
from sasrec_runtime.recommender import Recommender

RUNTIMES = ["onnx-fp32", "onnx-inline", pytest.param("tflite-fp32", marks=pytest.mark.tf)]


@pytest.fixture(scope="session")
def shared_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One tiny bundle for all tests that only read it."""
    path = tmp_path_factory.mktemp("shared") / "bundle"
    tiny.write(path)
    return path


@pytest.fixture(scope="session")
def tflite_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny bundle with a TFLite variant; TensorFlow converts it in another process."""
    if importlib.util.find_spec("tensorflow") is None or importlib.util.find_spec("ai_edge_litert") is None:
        pytest.skip("tflite-fp32 needs tensorflow and ai_edge_litert")
    folder = tmp_path_factory.mktemp("tflite")
    script, model = Path(__file__).with_name("tiny_tflite.py"), folder / "model.tflite"
    subprocess.run([sys.executable, script, model], check=True, capture_output=True)
    tiny.write(folder / "bundle", tflite=model.read_bytes())
    return folder / "bundle"


@pytest.fixture
def tiny_bundle(tmp_path: Path) -> Path:
    """A tiny bundle to damage."""
    path = tmp_path / "bundle"
    tiny.write(path)
    return path


@pytest.fixture
def bundle(shared_bundle: Path) -> Bundle:
    return Bundle.open(shared_bundle)


@pytest.fixture(scope="session", params=RUNTIMES)
def session(request: pytest.FixtureRequest) -> Session:
    """The same model on each runtime: one test body for all."""
    folder = "tflite_bundle" if request.param.startswith("tflite") else "shared_bundle"
    bundle = Bundle.open(request.getfixturevalue(folder))
    return open_session(bundle, bundle.variant(request.param))


@pytest.fixture(scope="session", params=RUNTIMES)
def recommender(request: pytest.FixtureRequest) -> Recommender:
    return loaded(request, request.param)


@pytest.fixture(scope="session", params=[*RUNTIMES, "fixed"])
def any_recommender(request: pytest.FixtureRequest) -> Recommender:
    """As `recommender`, and a variant of fixed shapes, which sees three rows and two candidates at a time."""
    if request.param != "fixed":
        return loaded(request, request.param)
    recommender = loaded(request, "onnx-fp32")
    sizes = {"fixed_k": 5, "fixed_history": tiny.MAX_LEN, "fixed_batch": 3, "fixed_candidates": 2}
    variant = msgspec.structs.replace(recommender.variant, **sizes)
    session = FittedSession(recommender.session, variant, tiny.N_ITEMS)
    return Recommender(recommender.bundle, variant, session)


@pytest.fixture
def rewrite(tiny_bundle: Path) -> Callable[[bytes, bytes], Path]:
    """Replace text in the manifest of the tiny bundle."""

    def replace(old: bytes, new: bytes) -> Path:
        manifest = tiny_bundle / "manifest.json"
        data = manifest.read_bytes()
        assert old in data
        manifest.write_bytes(data.replace(old, new, 1))
        return tiny_bundle

    return replace


def loaded(request: pytest.FixtureRequest, variant: str) -> Recommender:
    folder = "tflite_bundle" if variant.startswith("tflite") else "shared_bundle"
    return Recommender.load(request.getfixturevalue(folder), variant=variant)


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner()
