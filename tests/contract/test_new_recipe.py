"""A recipe that the project does not ship goes the whole way: it is data, and no line of the packages knows it."""

import pytest
from click.testing import CliRunner

from sasrec_export.cli import main
from sasrec_export.recipes import Engine, Recipe, VariantPlan
from sasrec_export.table.spec import TableSpec

pytestmark = pytest.mark.tf

SIX_BITS = TableSpec("int8", qmax=31, transform="whiten")
"""Six-bit levels in an int8 table: smaller once compressed."""
FOUR_BITS = TableSpec("int4", qmax=7, transform="smooth")

NEW_RECIPES = (
    Recipe(
        "wi6",
        {
            "onnx": Engine("1.23.2", SIX_BITS, scoring="integer"),
            "tflite": Engine("1.4.0", SIX_BITS, "static_int8", "integer"),
        },
    ),
    Recipe(
        "wi4_efp32",
        {
            "onnx": Engine("1.23.2", FOUR_BITS, "static_int8", "integer"),
            "tflite": Engine("1.4.0", FOUR_BITS, "float", "integer"),
        },
    ),
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A bundle of those recipes alone, on both runtimes, exported from a small trained run."""
    pytest.importorskip("tensorflow")
    from sasrec_export.bundle.write import write_bundle
    from sasrec_train import config, datasets
    from sasrec_train import run as run_module

    folder = tmp_path_factory.mktemp("new-recipe")
    log = datasets.load("synthetic:items=90,users=80,mean_length=12,seed=5")
    options = {"max_len": 8, "hidden_dim": 16, "ffn_dim": 16, "num_blocks": 2}
    model, training = config.preset("modern", n_items=log.n_items, model=options, train={"epochs": 1})
    run = run_module.create(log, model, training, folder / "run")
    plans = [VariantPlan(runtime, recipe) for recipe in NEW_RECIPES for runtime in ("onnx", "tflite")]
    return write_bundle(run, folder / "bundle", plans=plans, top_k=20)


NAMES = ["onnx-wi6", "tflite-wi6", "onnx-wi4_efp32", "tflite-wi4_efp32"]


def test_parity_goldens_and_report_know_the_new_variants(bundle) -> None:
    written, report = bundle
    assert [variant.name for variant in written.manifest.variants] == NAMES
    assert all(set(variant.parity) == {"recommend.items", "recommend.scores", "score.scores"}
               for variant in written.manifest.variants)  # fmt: skip
    assert [variant.name for variant in report.variants] == NAMES


def test_the_table_is_stored_as_the_recipe_says(bundle) -> None:
    import numpy as np
    import onnx_ir as ir

    written, _ = bundle
    model = ir.load(written.file(written.variant("onnx-wi6").entries["recommend"]))
    table = model.graph.initializers["item_table"].const_value.numpy().astype(int) - 128
    assert np.abs(table).max() == 31


@pytest.mark.parametrize("name", NAMES)
def test_verify_passes_the_new_variant(bundle, name) -> None:
    result = CliRunner().invoke(main, ["verify", str(bundle[0].path), "--variant", name])
    assert result.exit_code == 0, result.output


def test_the_report_command_judges_the_new_variants(bundle) -> None:
    log = "synthetic:items=90,users=80,mean_length=12,seed=5"
    result = CliRunner().invoke(main, ["report", str(bundle[0].path), "--data", log, "--json"])
    assert result.exit_code == 0, result.output
    assert all(name in result.stdout for name in NAMES)


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        (Engine("1.23.2", TableSpec("int4", 7), scoring="float"), "cannot be written to ONNX"),
        (Engine("1.23.2", TableSpec("float32"), "fp16"), "expected 'float' or 'static_int8' in ONNX"),
    ],
)
def test_what_an_engine_cannot_do_is_said_before_anything_is_written(bundle, tmp_path, engine, message) -> None:
    from sasrec_export.bundle.write import write_bundle
    from sasrec_export.errors import ExportError
    from sasrec_train.run import Run

    run = Run.load(bundle[0].path.parent / "run")
    plans = [VariantPlan("onnx", Recipe("impossible", {"onnx": engine}))]
    with pytest.raises(ExportError, match=message):
        write_bundle(run, tmp_path / "bundle", plans=plans)
    assert not (tmp_path / "bundle").exists()
