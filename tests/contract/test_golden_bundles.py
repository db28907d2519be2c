"""Bundles of every format version ever written still load and still give the answers they were written with."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from sasrec_export.cli import main
from sasrec_runtime import Recommender
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.checks import golden

BUNDLES = sorted(Path(__file__).parents[1].joinpath("golden").glob("bundle_v*"))


@pytest.fixture(params=BUNDLES, ids=lambda path: path.name)
def path(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_a_bundle_of_each_format_version_is_kept() -> None:
    assert [path.name for path in BUNDLES] == ["bundle_v1", "bundle_v2"]


def test_it_verifies(path: Path) -> None:
    result = CliRunner().invoke(main, ["verify", str(path)])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("name", ["onnx-wi8", "onnx-fp32", "tflite-wi8", "tflite-fp32"])
def test_its_goldens_hold_for_each_variant(path: Path, name: str) -> None:
    if name.startswith("tflite"):
        pytest.importorskip("ai_edge_litert")
    bundle = Bundle.open(path)
    assert golden.check(golden.read(bundle), Recommender.load(bundle, variant=name)) == []


@pytest.mark.parametrize("shift", [-1, 1])
def test_shifted_ids_do_not_pass(path: Path, shift: int) -> None:
    recommender = Recommender.load(path, variant="onnx-fp32")
    session, n_items = recommender.session, recommender.bundle.manifest.model.n_items

    class Shifted:
        def recommend(self, history, exclude, k):
            items, scores = session.recommend(history, exclude, k)
            return (items + shift - 1) % n_items + 1, scores

        score = session.score

    recommender.session = Shifted()
    assert golden.check(golden.read(recommender.bundle), recommender)


def test_right_padding_does_not_pass(path: Path) -> None:
    import numpy as np

    recommender = Recommender.load(path, variant="onnx-fp32")
    session, max_len = recommender.session, recommender.bundle.manifest.model.max_len

    class RightPadded:
        def recommend(self, history, exclude, k):
            return session.recommend(self.pad(history), exclude, k)

        def score(self, history, candidates):
            return session.score(self.pad(history), candidates)

        def pad(self, history):
            return np.pad(history[:, -max_len:], [(0, 0), (0, max(0, max_len - history.shape[1]))])

    recommender.session = RightPadded()
    assert golden.check(golden.read(recommender.bundle), recommender)
