"""What the options of `export` make of the ONNX files, and that the answers stay the same."""

import functools
import re

import numpy as np
import onnxruntime
import pytest

from sasrec_export import export_options
from sasrec_export.cli import main
from sasrec_export.errors import ConversionError, ExportError
from sasrec_export.export_options import OPSETS, ExportOptions
from sasrec_export.recipes import plan

pytestmark = pytest.mark.tf

FEED = {"exclude": np.array([[3, 4], [0, 0]], np.int32), "k": np.array([5])}


@functools.cache
def writer(trained):
    """One writer for all tests: it converts the encoder once for each opset."""
    from sasrec_export.bundle import variants

    return variants.writers(trained, {"onnx"})["onnx"]


def written(trained, tmp_path, recipe: str = "wi8", **shape):
    """Write one variant; return entry → file."""
    (chosen,) = plan(("onnx",), (recipe,), options=ExportOptions(**shape))
    return writer(trained).write(chosen, trained.item_table(chosen.engine.table), tmp_path)


def answers(path, feed) -> list:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, feed)


@pytest.mark.parametrize(
    ("recipe", "options"),
    [
        ("wi8", {}),
        ("wi4", {}),
        ("wi8_ai8", {}),
        ("wi8_ai8", {"strict_int8": True}),
        ("wi8_afp32", {}),
        ("fp32", {"single_file": True}),
    ],
    ids=str,
)
def test_every_opset_gives_the_same_answers(trained, histories, tmp_path, recipe, options) -> None:
    import onnx

    given = {}
    for opset in OPSETS:
        folder = tmp_path / str(opset)
        folder.mkdir()
        path = written(trained, folder, recipe, opset=opset, **options).entries["recommend"]
        onnx.checker.check_model(path, full_check=True)
        model = onnx.load(path, load_external_data=False)
        assert {domain.version for domain in model.opset_import if domain.domain == ""} == {opset}
        assert model.ir_version >= onnx.helper.find_min_ir_version_for(model.opset_import, ignore_unknown=True)
        given[opset] = answers(path, {"history": histories[20:22], **FEED})
    for items, scores in given.values():
        np.testing.assert_array_equal(items, given[17][0])
        np.testing.assert_array_equal(scores, given[17][1])


@pytest.mark.parametrize("opset", [opset for opset in OPSETS if opset > 18])
def test_every_operator_is_spelled_as_onnx_itself_would_raise_it(trained, tmp_path, opset) -> None:
    import onnx
    from onnx import version_converter

    def spelled(model) -> list:
        return [(node.op_type, len(node.input), list(node.attribute)) for node in model.graph.node]

    for name in ("18", str(opset)):
        (tmp_path / name).mkdir()
    lower = written(trained, tmp_path / "18", "wi8_ai8", opset=18).entries
    for entry, path in written(trained, tmp_path / str(opset), "wi8_ai8", opset=opset).entries.items():
        assert spelled(version_converter.convert_version(onnx.load(lower[entry]), opset)) == spelled(onnx.load(path))


def test_an_opset_that_this_onnx_does_not_know_is_refused(trained) -> None:
    from sasrec_export.onnx_writer import convert_encoder

    with pytest.raises(ConversionError, match=r"^onnx [\d.]+ cannot write opset 99: .*Take a lower one"):
        convert_encoder.encoder_to_onnx(trained.model, opset=99)


def test_a_higher_opset_asks_for_a_newer_onnxruntime() -> None:
    oldest = {opset: [chosen.min_version for chosen in plan(options=ExportOptions(opset=opset))] for opset in (17, 23)}
    assert oldest[17] == ["1.22.1", "1.18.1", "1.23.2", "1.22.1", "1.18.1", *oldest[23][5:]]
    assert oldest[23] == [OPSETS[23]] * 5 + oldest[17][5:]


@pytest.mark.parametrize("opset", [17, 21, 27])
def test_an_ort_file_answers_as_the_onnx_file_it_stands_beside(trained, histories, tmp_path, opset) -> None:
    files = written(trained, tmp_path, ort_format=True, opset=opset)
    feed = {"history": histories[20:22], **FEED}
    for ours, theirs in zip(
        answers(tmp_path / "recommend.ort", feed), answers(files.entries["recommend"], feed), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    assert {path.name for path in files.files} >= {"recommend.ort", "score.ort", "required_operators.config"}


def test_the_operators_of_a_custom_build_name_no_folder(trained, tmp_path) -> None:
    written(trained, tmp_path, ort_format=True)
    lines = (tmp_path / "required_operators.config").read_text().splitlines()
    assert "MatMulNBits" in next(line for line in lines if line.startswith("com.microsoft"))
    assert all(re.fullmatch(r"[\w.]+;\d+;[\w,]+", line) for line in lines)


@pytest.mark.parametrize("recipe", ["wi8", "wi8_ai8", "fp32"])
def test_fixed_shapes_leave_no_size_open(trained, histories, tmp_path, recipe) -> None:
    import onnx

    files = written(trained, tmp_path, recipe, batch=2, history=6)
    for entry, path in files.entries.items():
        graph = onnx.load(path, load_external_data=False).graph
        sizes = {
            value.name: [d.dim_value for d in value.type.tensor_type.shape.dim]
            for value in (*graph.input, *graph.output)
        }
        expected = {"history": [2, 6], "exclude": [2, 256], "items": [2, 100], "scores": [2, 100]}
        if entry == "score":
            expected = {"history": [2, 6], "candidates": [2, 128], "scores": [2, 128]}
        assert sizes == expected


def test_fixed_shapes_answer_as_open_ones(trained, histories, tmp_path) -> None:
    for name in ("open", "fixed"):
        (tmp_path / name).mkdir()
    wide = np.zeros((2, 256), np.int32)
    wide[:, :2] = FEED["exclude"]
    fixed = written(trained, tmp_path / "fixed", batch=2, history=6).entries["recommend"]
    items, scores = answers(fixed, {"history": histories[20:22, -6:], "exclude": wide})
    opened = written(trained, tmp_path / "open").entries["recommend"]
    other_items, other_scores = answers(opened, {"history": histories[20:22, -6:], **FEED})
    np.testing.assert_array_equal(items[:, :5], other_items)
    np.testing.assert_allclose(scores[:, :5], other_scores, rtol=0, atol=1e-5)


def test_the_batch_form_answers_as_the_single_one(trained, bundle, histories, tmp_path) -> None:
    files = written(trained, tmp_path)
    feed = {"history": histories, "exclude": np.zeros((32, 0), np.int32), "k": np.array([20])}
    (items, scores), (other_items, other_scores) = (
        answers(files.entries[entry], feed) for entry in ("recommend", "recommend_batch")
    )
    atol = bundle.variant("onnx-wi8").atol
    np.testing.assert_allclose(scores, other_scores, rtol=0, atol=atol)
    apart = np.abs(
        np.take_along_axis(scores, np.argsort(items, 1), 1)
        - np.take_along_axis(other_scores, np.argsort(other_items, 1), 1)
    )
    assert (items == other_items).mean() > 0.9 or apart.max() <= atol


@pytest.mark.parametrize(
    ("recipe", "entry"), [("wi8", "recommend"), ("wi8", "recommend_batch"), ("wi8_afp32", "recommend")]
)
def test_a_users_scores_are_the_same_bits_whoever_shares_the_batch(trained, histories, tmp_path, recipe, entry) -> None:
    files = written(trained, tmp_path, recipe)
    first, second = histories.copy(), histories[::-1].copy()
    second[0] = first[0]
    feed = {"exclude": np.zeros((32, 0), np.int32), "k": np.array([20])}
    (_, ours), (_, theirs) = (answers(files.entries[entry], {"history": h, **feed}) for h in (first, second))
    np.testing.assert_array_equal(ours[0], theirs[0])


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--fixed-shapes", "50", r"fixed-shapes is '50', expected rows x history columns, such as 1x50"),
        ("--fixed-shapes", "0x50", r"fixed-shapes is '0x50'"),
        ("--opset", "28", r"opset is 28, expected 17 to 27"),
        ("--calibration", "entropy", r"calibration is 'entropy', expected one of MinMax, Percentile"),
    ],
)
def test_an_option_out_of_range_is_refused_before_anything_is_written(
    run_folder, runner, tmp_path, option, value, message
) -> None:
    result = runner.invoke(main, ["export", str(run_folder), "--out", str(tmp_path / "bundle"), option, value])
    assert result.exit_code == 1
    assert re.search(message, result.stderr)
    assert not any(tmp_path.iterdir())


def test_sizes_are_read_as_rows_and_columns() -> None:
    assert ExportOptions.sizes("8x50") == {"batch": 8, "history": 50}
    with pytest.raises(ExportError, match="such as 1x50"):
        ExportOptions.sizes("8×50×2")


def test_a_bundle_of_fixed_shapes_answers_like_one_of_open_shapes(run_folder, bundle, runner, tmp_path) -> None:
    from sasrec_runtime import Recommender

    out = tmp_path / "bundle"
    options = ["--runtime", "onnx", "--recipe", "wi8", "--fixed-shapes", "2x12", "--top-k", "12"]
    result = runner.invoke(main, ["export", str(run_folder), "--out", str(out), *options])
    assert result.exit_code == 0, result.output
    fixed, opened = Recommender.load(out), Recommender.load(bundle, variant="onnx-wi8")
    assert fixed.variant.fixed_k == 12
    keys = opened.vocabulary.keys[1:6]
    for ours, theirs in zip(fixed.recommend(keys, 12), opened.recommend(keys, 12), strict=True):
        assert ours.key == theirs.key
        assert ours.score == pytest.approx(theirs.score, abs=opened.variant.atol)
    np.testing.assert_allclose(fixed.score(keys, keys), opened.score(keys, keys), rtol=0, atol=1e-4)
    batch = fixed.recommend_batch([keys, keys[:1], keys[1:3]], 12)
    assert [item.key for item in batch[0]] == [item.key for item in fixed.recommend(keys, 12)]
    assert runner.invoke(main, ["verify", str(out)]).exit_code == 0


def test_a_bundle_may_see_fewer_items_than_the_network_was_trained_on(run_folder, runner, tmp_path) -> None:
    out = tmp_path / "bundle"
    options = ["--runtime", "onnx", "--recipe", "fp32", "--fixed-shapes", "1x5"]
    result = runner.invoke(main, ["export", str(run_folder), "--out", str(out), *options])
    assert result.exit_code == 0, result.output
    assert runner.invoke(main, ["verify", str(out)]).exit_code == 0


@pytest.mark.parametrize("runtime", ["onnx", "tflite"])
def test_with_fixed_shapes_the_longest_history_of_a_run_can_be_left_out(
    run, runner, tmp_path, monkeypatch, runtime
) -> None:
    monkeypatch.setattr(export_options, "MIN_EXCLUDE", 8)
    monkeypatch.setattr(export_options, "EXCLUDE_STEP", 2)
    from sasrec_export.bundle.write import write_bundle

    longest = int(run.interactions.histories.lengths.max())
    assert longest > 8
    out = tmp_path / "bundle"
    plans = plan((runtime,), ("fp32",), options=ExportOptions(batch=1, history=12))
    bundle, _ = write_bundle(run, out, plans=plans)
    assert longest <= bundle.manifest.variants[0].fixed_exclude <= longest + 1
    assert runner.invoke(main, ["verify", str(out)]).exit_code == 0


def test_many_rows_run_in_the_batch_form(bundle, histories) -> None:
    from sasrec_runtime.engines.open import open_session

    session = open_session(bundle, bundle.variant("onnx-wi8"))
    nothing = np.zeros((len(histories), 0), np.int32)
    _, scores = session.recommend(histories, nothing, 5)
    assert "recommend_batch" in session.loaded_entries
    for row in range(3):
        alone = session.recommend(histories[row : row + 1], nothing[:1], 5)
        np.testing.assert_allclose(scores[row : row + 1], alone[1], rtol=0, atol=bundle.variant("onnx-wi8").atol)
