"""Fixtures of the export tests: one small trained run, its bundle, and the same requests on every backend."""

import dataclasses
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

MAX_LEN = 12
K = 100

BACKENDS = (
    "keras",
    "onnx-fp32",
    "onnx-wi8",
    "onnx-wi8_afp32",
    "onnx-wi4",
    "onnx-wi8_ai8",
    "tflite-fp32",
    "tflite-fp16",
    "tflite-wi8",
    "tflite-wi4",
    "tflite-wi8_ai8",
)

REPEAT_ATOL = {
    "keras": 1e-5,
    "onnx-fp32": 1e-5,
    "onnx-wi8": 2e-2,
    "onnx-wi8_afp32": 1e-5,
    "onnx-wi4": 2e-2,
    "onnx-wi8_ai8": 2e-1,
    "tflite-fp32": 1e-5,
    "tflite-fp16": 1e-5,
    "tflite-wi8": 2e-2,
    "tflite-wi4": 2e-2,
    "tflite-wi8_ai8": 2e-2,
}
"""How far two spellings of one request may lie apart. In wi8 a last bit of the user vector can move one of its int8
entries by a step, and with it a score by that step times the entry of the item; in wi8_ai8 that
happens on the way, too."""


@dataclass(frozen=True)
class Scorer:
    """A backend under test."""

    name: str
    recommend: Callable[[Any, Any, int], tuple[NDArray[np.int32], NDArray[np.float32]]]
    score: Callable[[Any, Any], NDArray[np.float32]]
    n_items: int
    atol: float
    """Largest difference from Keras."""
    table: NDArray[np.float32]
    """The item table it computes with."""

    @property
    def repeat_atol(self) -> float:
        return REPEAT_ATOL[self.name]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of pytest-xdist share."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "export"
    folder.mkdir(exist_ok=True)
    return folder


@contextmanager
def only_one_worker(folder: Path) -> Iterator[None]:
    """Wait until no other worker is in here; the first one makes what the others then read."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def run(shared: Path) -> Any:
    """A small network trained for two epochs on a synthetic log, with titles."""
    from sasrec_train import config, datasets
    from sasrec_train import run as run_module

    with only_one_worker(shared):
        if not (shared / "run").exists():
            log = datasets.load("synthetic:items=140,users=150,mean_length=18,seed=3")
            log = dataclasses.replace(log, titles=[f"Title {key}" for key in log.item_keys])
            model, train = config.preset(
                "modern",
                n_items=log.n_items,
                model={"max_len": MAX_LEN, "hidden_dim": 24, "ffn_dim": 24},
                train={"epochs": 2, "learning_rate": 0.01},
            )
            run_module.create(log, model, train, shared / "run")
    return run_module.Run.load(shared / "run")


@pytest.fixture(scope="session")
def exported(run: Any, shared: Path) -> Any:
    """(bundle, report) of that run with every variant."""
    from sasrec_export import recipes
    from sasrec_export.bundle.write import write_bundle
    from sasrec_export.report import schema
    from sasrec_runtime.bundle import Bundle

    with only_one_worker(shared):
        if not (shared / "bundle").exists():
            write_bundle(run, shared / "bundle", plans=recipes.plan())
    bundle = Bundle.open(shared / "bundle")
    return bundle, schema.decode(bundle.path / "report.json")


@pytest.fixture(scope="session")
def reported_output(exported: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What `sasrec-edge report` printed on the log of that run; see `reported` for its folder."""
    from sasrec_export.cli import main

    log = "synthetic:items=140,users=150,mean_length=18,seed=3"
    out = tmp_path_factory.mktemp("report") / "report"
    result = CliRunner().invoke(main, ["report", str(exported[0].path), "--data", log, "--out", str(out)])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="session")
def reported(reported_output: str) -> Path:
    """The folder of that report."""
    return Path(reported_output.splitlines()[-1].removeprefix("Report: ")).parent


@pytest.fixture(scope="session")
def bundle(exported: Any) -> Any:
    return exported[0]


@pytest.fixture(scope="session")
def model(run: Any) -> Any:
    return run.model()


@pytest.fixture(scope="session")
def trained(run: Any, model: Any) -> Any:
    """The trained model as the writers of the bundle had it."""
    from sasrec_export.encoder import calibration
    from sasrec_export.encoder.export_model import ExportModel

    histories = calibration.sample(run.split().train, max_len=MAX_LEN, seed=run.seed)
    return ExportModel(model, calibration=histories, top_k=K)


@pytest.fixture(scope="session", params=BACKENDS)
def scorer(request: pytest.FixtureRequest, model: Any, trained: Any, bundle: Any) -> Scorer:
    """The same promises on every backend: one test body for all."""
    from sasrec_export.recipes import plan
    from sasrec_runtime.engines.open import open_session

    n_items = model.config.n_items
    if request.param == "keras":
        return Scorer("keras", *keras_backend(model), n_items, 0.0, trained.table)
    pytest.importorskip("ai_edge_litert" if request.param.startswith("tflite") else "onnxruntime")
    variant = bundle.variant(request.param)
    session = open_session(bundle, variant)
    (written,) = plan((variant.runtime,), (variant.recipe,))
    table = trained.item_table(written.engine.table).effective()
    return Scorer(request.param, session.recommend, session.score, n_items, variant.atol, table)


def keras_backend(model: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The contract on the Keras model, by full sorts in numpy."""
    n_items = model.config.n_items

    def scores_of(history: Any) -> Any:
        scores = np.array(model.scores(np.asarray(history)).numpy())
        scores[:, 0] = -np.inf
        return scores

    def recommend(history: Any, exclude: Any, k: int) -> Any:
        scores = scores_of(history)
        for row, ids in zip(scores, exclude, strict=True):
            row[ids[(ids >= 1) & (ids <= n_items)]] = -np.inf
        items = np.argsort(-scores, axis=1, kind="stable")[:, :k].astype(np.int32)
        best = np.take_along_axis(scores, items, axis=1)
        return np.where(np.isneginf(best), 0, items), best

    def score(history: Any, candidates: Any) -> Any:
        ids = np.where((candidates >= 1) & (candidates <= n_items), candidates, 0)
        return np.take_along_axis(scores_of(history), ids, axis=1)

    return recommend, score


@pytest.fixture
def histories(model: Any) -> NDArray[np.int32]:
    """(32, MAX_LEN), of every length from 1 on, left-padded."""
    rng = np.random.default_rng(0)
    rows = np.zeros((32, MAX_LEN), np.int32)
    for i, row in enumerate(rows):
        length = 1 + i % MAX_LEN
        row[-length:] = rng.integers(1, model.config.n_items + 1, length)
    return rows


@pytest.fixture
def no_exclusion() -> Callable[[int], NDArray[np.int32]]:
    return lambda rows: np.zeros((rows, 1), np.int32)


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner()


@pytest.fixture(scope="session")
def run_folder(run: Any) -> Path:
    return Path(run.path)
