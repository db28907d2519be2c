"""What stands in the files of a variant."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sasrec_export.report.measure import file_contents, stored_files
from sasrec_runtime.bundle import Bundle

pytestmark = pytest.mark.tf

ROWS, DIM = 139, 24  # of the run of the export tests, padding included


@pytest.mark.parametrize("name", ["onnx-fp32", "tflite-fp32"])
def test_a_float_table_has_four_bytes_a_number_and_no_scales(bundle: Any, name: str) -> None:
    found = file_contents.read(bundle, bundle.variant(name))
    assert found is not None
    assert 4 * ROWS * DIM <= found.table_bytes < 5 * ROWS * DIM
    assert found.row_scales is None


@pytest.mark.parametrize(("name", "transform"), [("onnx-wi8", "smooth"), ("tflite-wi8", "none")])
def test_an_int8_table_is_found_with_the_scale_of_every_item(
    trained: Any, bundle: Any, name: str, transform: str
) -> None:
    found = file_contents.read(bundle, bundle.variant(name))
    assert found is not None
    assert found.row_scales is not None
    np.testing.assert_allclose(found.row_scales, trained.quantized(127, transform).scales[1:], rtol=1e-5)
    assert found.table_bytes < 4 * ROWS * DIM


@pytest.mark.parametrize(
    ("name", "operator"),
    [("onnx-fp32", "Gemm"), ("onnx-wi8", "MatMulNBits"), ("tflite-wi8", "EMBEDDING_LOOKUP"), ("tflite-fp32", "GATHER")],
)
def test_the_operators_are_those_of_recommend(bundle: Any, name: str, operator: str) -> None:
    found = file_contents.read(bundle, bundle.variant(name))
    assert found is not None
    assert operator in found.operators


@pytest.mark.parametrize("name", ["onnx-wi8", "tflite-wi8"])
def test_files_that_cannot_be_read_here_have_no_known_contents(
    bundle: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_contents.importlib.util, "find_spec", lambda _: None)
    assert file_contents.read(bundle, bundle.variant(name)) is None


def test_a_file_without_the_name_of_the_table_has_a_table_of_unknown_size() -> None:
    old = Bundle.open(Path(__file__).parents[2] / "golden" / "bundle_v1")
    found = file_contents.read(old, old.variant("tflite-wi8"))
    assert found is not None
    assert found.table_bytes is None
    assert found.row_scales is None
    assert stored_files.read(old, old.variant("tflite-wi8")).encoder_bytes is None
