"""Items added to a RUN leave the quantized rows of the others as they are, in every recipe."""

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from sasrec_export.encoder.export_model import ExportModel
from sasrec_export.recipes import RECIPES
from sasrec_train.config import ModelConfig
from sasrec_train.network.model import SASRec
from sasrec_train.new_items.enlarged_network import enlarged

pytestmark = pytest.mark.tf

N, NEW, D, T = 1598, 84, 64, 6
SPECS = sorted({engine.table for recipe in RECIPES.values() for engine in recipe.engines.values()}, key=str)


@pytest.fixture(scope="module")
def exported() -> tuple[ExportModel, ExportModel]:
    rng = np.random.default_rng(0)
    config = ModelConfig(n_items=N, max_len=T, hidden_dim=D, ffn_dim=D, num_blocks=1, similarity="cosine")
    model = SASRec(config)
    larger = enlarged(model, rng.uniform(-1, 1, (NEW, D)).astype(np.float32))
    histories = rng.integers(1, N + 1, (200, T)).astype(np.int32)
    return (
        ExportModel(model, calibration=histories, top_k=5),
        ExportModel(larger, calibration=histories, top_k=5, parts=[N, 4, NEW - 4]),
    )


@pytest.mark.parametrize("spec", [spec for spec in SPECS if spec.is_integer], ids=str)
def test_old_rows_of_a_quantized_table_are_equal_bit_for_bit(exported, spec) -> None:
    old, new = (model.item_table(spec).quantized for model in exported)
    np.testing.assert_array_equal(new.values[: N + 1], old.values)
    np.testing.assert_array_equal(new.scales[: N + 1], old.scales)
    np.testing.assert_array_equal(new.transform, old.transform)


@pytest.mark.parametrize("spec", [spec for spec in SPECS if spec.is_integer], ids=str)
def test_new_rows_are_rounded_as_well_as_old_ones(exported, spec) -> None:
    table = exported[1].item_table(spec)
    errors = table.effective() - table.trained
    cost = np.einsum("nd,de,ne->n", errors, exported[1].hessian, errors)  # of the scores: what rounding makes small
    assert cost[N + 1 :].mean() < 1.1 * cost[1 : N + 1].mean()
    assert np.square(table.trained[N + 1 :]).sum(axis=1) == pytest.approx(np.ones(NEW), abs=1e-5)
