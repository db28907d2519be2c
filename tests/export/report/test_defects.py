"""A planted defect must show up in the verdict."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx_ir = pytest.importorskip("onnx_ir")

from export.report import defects  # noqa: E402 - needs onnx_ir
from sasrec_export import recipes  # noqa: E402
from sasrec_export.encoder import calibration  # noqa: E402
from sasrec_export.report.measure import graph_layers, layer_sensitivity  # noqa: E402
from sasrec_export.report.measure.build_report import build_report  # noqa: E402
from sasrec_export.report.measure.evaluation_set import evaluation_set_of_run  # noqa: E402
from sasrec_export.report.schema import Budget, Report  # noqa: E402
from sasrec_runtime.bundle import Bundle  # noqa: E402
from sasrec_train.log.interactions import Histories, Interactions  # noqa: E402

pytestmark = pytest.mark.tf

DAMAGED = "onnx-wi8"
ROW, OTHER_ROW = 3, 9
N_CHAIN_ITEMS, MAX_LEN = 60, 12


def judge(bundle: Bundle, run: Any, **options: Any) -> Report:
    evaluation_set = evaluation_set_of_run(run, run.split())
    budget = Budget(max_ndcg_drop=0.5)  # so wide that only what is broken is passed over
    return build_report(bundle, evaluation_set, detail=False, budget=budget, **options)


def reason(report: Report, name: str) -> str:
    return next((other.reason for other in report.verdict.passed_over if other.name == name), "shipped")


@pytest.mark.parametrize("factor", [0.0, 0.25, 4.0], ids=["zero", "a quarter", "four times"])
def test_a_corrupted_scale_is_named_in_the_verdict(factor: float, bundle: Any, run: Any, tmp_path: Path) -> None:
    def corrupt(model: Any) -> None:
        defects.set_rows(model, defects.SCALES, lambda scales: scales * np.where(_rows(scales) == ROW, factor, 1))

    report = judge(defects.plant(bundle, DAMAGED, corrupt, tmp_path / "bundle"), run)
    assert reason(report, DAMAGED).startswith(
        f"1 of its items' rows look corrupted: the scores of item {_key(bundle, ROW)} "
    )


def test_swapped_item_rows_are_named_in_the_verdict(bundle: Any, run: Any, tmp_path: Path) -> None:
    def swap(model: Any) -> None:
        for name in (defects.TABLE, defects.SCALES):
            defects.set_rows(model, name, lambda rows: rows[_swapped(len(rows))])

    report = judge(defects.plant(bundle, DAMAGED, swap, tmp_path / "bundle"), run)
    assert reason(report, DAMAGED).startswith("2 of its items' rows look corrupted")
    damaged = report.variant(DAMAGED)
    assert damaged is not None
    assert {row.item_id for row in damaged.rows if row.suspect} == {ROW, OTHER_ROW}


def test_nothing_is_damaged_in_a_sound_bundle(exported: Any) -> None:
    _, report = exported
    assert [variant.suspect_rows for variant in report.variants] == [0] * len(report.variants)


@pytest.fixture(scope="module")
def chains(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run and its ONNX bundle."""
    from sasrec_export.bundle.write import write_bundle
    from sasrec_train import config
    from sasrec_train import run as run_module

    rng = np.random.default_rng(0)
    starts = rng.integers(0, N_CHAIN_ITEMS, (300, 2))
    histories = [
        [int((chain[step % 2] + step // 2) % N_CHAIN_ITEMS) + 1 for step in range(rng.integers(8, 16))]
        for chain in starts
    ]
    interactions = Interactions(
        name="chains",
        user_keys=[str(user) for user in range(len(histories))],
        item_keys=[str(item_id) for item_id in range(1, N_CHAIN_ITEMS + 1)],
        titles=None,
        histories=Histories.from_lists(histories),
    )
    model, train = config.preset(
        "modern",
        n_items=N_CHAIN_ITEMS,
        model={"max_len": MAX_LEN, "hidden_dim": 24, "ffn_dim": 24, "num_heads": 1, "dropout_rate": 0.1},
        train={"epochs": 60, "learning_rate": 0.01},
    )
    folder = tmp_path_factory.mktemp("chains")
    run = run_module.create(interactions, model, train, folder / "run")
    return run, write_bundle(run, folder / "bundle", plans=recipes.plan(("onnx",), ("wi8", "fp32")))[0]


@pytest.mark.slow
class TestMask:
    """On a log that only attention can read: two chains take turns, so the next item follows the last but one."""

    @pytest.mark.parametrize("careless", [True, False], ids=["a mask of -1e9", "a mask of the range"])
    def test_a_mask_of_minus_1e9_in_full_int8_costs_too_much(self, careless: bool, chains: Any, tmp_path: Path) -> None:
        run, bundle = chains

        def to_int8(model: Any) -> Any:
            if "exclude" not in {value.name for value in model.graph.inputs}:
                return None  # score stays as it is: the verdict must come from the lists
            for number, node in enumerate(model.graph):
                node.name = f"n{number}"
            found = graph_layers.find(model)
            histories = calibration.sample(run.split().train, max_len=MAX_LEN, seed=0)
            ranges = layer_sensitivity.activation_ranges(model, found, histories, masks=careless)
            return graph_layers.quantized(model, found, ranges)

        damaged = defects.plant(bundle, "onnx-fp32", to_int8, tmp_path / "bundle")
        report = judge(damaged, run, against=DAMAGED, keep_seen=True)
        assert ("its NDCG@10 is" in reason(report, "onnx-fp32")) == careless


def _rows(scales: Any) -> Any:
    """Row numbers in the shape of (V, 1) or (V,)."""
    return np.arange(len(scales)).reshape(-1, *[1] * (scales.ndim - 1))


def _swapped(rows: int) -> Any:
    order = np.arange(rows)
    order[[ROW, OTHER_ROW]] = order[[OTHER_ROW, ROW]]
    return order


def _key(bundle: Any, item_id: int) -> str:
    return str(bundle.vocabulary.key(item_id))
