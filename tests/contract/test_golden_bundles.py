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
