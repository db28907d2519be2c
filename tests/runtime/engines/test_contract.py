"""The graph contract, on every runtime alike."""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto

from runtime import tiny
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.engines.contract import Session, check_signature
from sasrec_runtime.engines.open import open_session
from sasrec_runtime.errors import BundleError, MissingRuntimeError, RequestError, SignatureError
from sasrec_runtime.manifest import decode, encode

Rewrite = Callable[[bytes, bytes], Path]


def ids(*rows: list[int]) -> np.ndarray:
    return np.array(rows, np.int32)


@pytest.mark.parametrize("case", tiny.CASES, ids=lambda case: str(case[0]))
def test_answers_are_those_worked_out_by_hand(session: Session, case: tuple) -> None:
    history, exclude, k, candidates, items, scores, candidate_scores = case
    seen_items, seen_scores = session.recommend(ids(history), ids(exclude), k)
    taken = seen_items[0] != 0
    assert seen_items[0][taken].tolist() == items
    assert seen_scores[0][taken].tolist() == scores
    assert session.score(ids(history), ids(candidates)).tolist() == [candidate_scores]


def test_outputs_have_the_dtypes_and_shapes_of_the_contract(session: Session) -> None:
    items, scores = session.recommend(ids([1, 2], [3, 4]), ids([1], [0]), 3)
    assert (items.dtype, scores.dtype) == (np.int32, np.float32)
    assert items.shape == scores.shape == (2, 3)
    candidate_scores = session.score(ids([1, 2], [3, 4]), ids([1], [2]))
    assert (candidate_scores.dtype, candidate_scores.shape) == (np.float32, (2, 1))


@pytest.mark.parametrize("history", [[1, 2], [0, 0, 1, 2], [0, 0, 0, 0, 0, 1, 2], [3, 3, 0, 0, 1, 2], [99, -5, 1, 2]])
def test_padding_and_ids_that_are_no_items_change_nothing(session: Session, history: list[int]) -> None:
    items, scores = session.recommend(ids(history), ids([1, 2]), 4)
    assert items.tolist() == [[3, 4, 5, 6]]
    assert scores.tolist() == [[2, 2, 2, 0]]


def test_a_row_does_not_depend_on_the_others(session: Session) -> None:
    items, scores = session.recommend(ids([0, 1, 2], [4, 4, 1], [0, 0, 6]), ids([1, 2], [0, 0], [0, 6]), 3)
    alone = session.recommend(ids([4, 4, 1]), ids([0]), 3)
    assert items[1].tolist() == alone[0][0].tolist() == [4, 1, 3]
    assert scores[1].tolist() == alone[1][0].tolist()


def test_places_that_no_item_can_take_hold_padding_with_a_very_low_score(session: Session) -> None:
    items, scores = session.recommend(ids([1, 2]), ids([1, 2, 3, 4, 5, 6]), 3)
    assert items.tolist() == [[7, 0, 0]]
    assert (scores[0, 1:] <= -1e9 / 2).all()


def test_equal_scores_go_to_the_lower_id(session: Session) -> None:
    assert session.recommend(ids([1, 2]), ids([0]), 5)[0].tolist() == [[3, 4, 5, 1, 2]]


def test_all_padding_is_finite(session: Session) -> None:
    items, scores = session.recommend(ids([0, 0]), ids([0]), 3)
    assert items.tolist() == [[1, 2, 3]]
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("columns", [0, 1, 16, 17, 40])
def test_any_number_of_excluded_ids(session: Session, columns: int) -> None:
    exclude = np.zeros((1, columns), np.int32)
    exclude[:, :1] = 3
    expected = [[3, 4, 5]] if columns == 0 else [[4, 5, 1]]
    assert session.recommend(ids([1, 2]), exclude, 3)[0].tolist() == expected


@pytest.mark.parametrize("columns", [1, 16, 17, 40])
def test_any_number_of_candidates(session: Session, columns: int) -> None:
    candidates = np.full((1, columns), 4, np.int32)
    assert session.score(ids([1, 2]), candidates).tolist() == [[2.0] * columns]


@pytest.mark.parametrize(("k", "message"), [(0, r"k is 0, expected 1…7\."), (8, r"k is 8, expected 1…7\.")])
def test_k_out_of_range_is_refused(session: Session, k: int, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        session.recommend(ids([1]), ids([0]), k)


@pytest.mark.parametrize(
    ("history", "other", "message"),
    [
        pytest.param(np.zeros((1, 2), np.int64), ids([0]), r"history is int64 \(1, 2\), expected int32", id="int64"),
        pytest.param(
            np.zeros(2, np.int32), ids([0]), r"history is int32 \(2,\), expected .*two dim", id="one dimension"
        ),
        pytest.param(ids([1]), np.zeros((1, 2), np.float32), r"(exclude|candidates) is float32", id="float"),
        pytest.param(ids([1]), ids([0], [0]), r"has 2 rows, expected 1, as many as history", id="rows"),
    ],
)
def test_arrays_that_differ_from_the_contract_are_refused(
    session: Session, history: np.ndarray, other: np.ndarray, message: str
) -> None:
    with pytest.raises(SignatureError, match=message):
        session.recommend(history, other, 1)
    with pytest.raises(SignatureError, match=message):
        session.score(history, other)


def test_threads_share_a_session(session: Session) -> None:
    def call(number: int) -> tuple:
        history, exclude, k, candidates, items, _, candidate_scores = tiny.CASES[number % 2]
        return (
            session.recommend(ids(history), ids(exclude), k)[0].tolist() == [items],
            session.score(ids(history), ids(candidates)).tolist() == [candidate_scores],
        )

    with ThreadPoolExecutor(4) as pool:
        assert all(all(answers) for answers in pool.map(call, range(200)))


def test_several_threads_give_the_same_answer(bundle: Bundle) -> None:
    session = open_session(bundle, bundle.variant("onnx-fp32"), threads=2)
    assert session.recommend(ids([4, 4, 1]), ids([0]), 3)[0].tolist() == [[4, 1, 3]]


def test_threads_below_one_are_refused(bundle: Bundle) -> None:
    with pytest.raises(RequestError, match="threads is 0, expected a whole number in 1…1024"):
        open_session(bundle, bundle.variant("onnx-fp32"), threads=0)


def test_the_score_model_is_loaded_on_first_use(tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle)
    session = open_session(bundle, bundle.variant("onnx-fp32"))
    (tiny_bundle / "onnx/score.onnx").unlink()
    assert session.recommend(ids([1, 2]), ids([1, 2]), 1)[0].tolist() == [[3]]
    with pytest.raises(BundleError, match=r"onnx/score.onnx is missing, expected \d+ bytes\. Copy that file again"):
        session.score(ids([1]), ids([1]))


def reread(path: Path) -> Bundle:
    """Open a bundle whose inline model was changed; its size and digest are brought up to date."""
    manifest = decode((path / "manifest.json").read_bytes())
    first, inline = manifest.variants
    inline = msgspec.structs.replace(inline, files=[tiny.entry(path, file.path) for file in inline.files])
    (path / "manifest.json").write_bytes(encode(msgspec.structs.replace(manifest, variants=[first, inline])))
    return Bundle.open(path)


def open_with(tiny_bundle: Path, model: onnx.ModelProto) -> Session:
    """Open the inline variant with another recommend model."""
    (tiny_bundle / "inline/recommend.onnx").write_bytes(model.SerializeToString())
    bundle = reread(tiny_bundle)
    return open_session(bundle, bundle.variant("onnx-inline"))


def test_a_graph_with_another_dtype_is_refused(tiny_bundle: Path) -> None:
    with pytest.raises(SignatureError, match=r"inputs are history int64 rank 2, .* expected history int32 rank 2"):
        open_with(tiny_bundle, tiny.recommend_model(history_type=TensorProto.INT64))


def test_a_graph_with_another_name_is_refused(tiny_bundle: Path) -> None:
    model = tiny.recommend_model()
    model.graph.output[0].name = "ids"
    with pytest.raises(SignatureError, match=r"outputs are ids int32 rank 2, .* expected items int32 rank 2"):
        open_with(tiny_bundle, model)


@pytest.mark.parametrize(("rank", "is_refused"), [(1, False), (-1, False), (2, True)])
def test_a_tensor_with_another_rank_is_refused_unless_it_is_unknown(rank: int, is_refused: bool) -> None:
    with (
        pytest.raises(SignatureError, match="k int64 rank 2, expected k int64 rank 1") if is_refused else nullcontext()
    ):
        check_signature("a.onnx", "inputs", {"k": ("int64", rank)}, {"k": ("int64", 1)})


def test_the_score_graph_is_no_recommend_graph(tiny_bundle: Path) -> None:
    with pytest.raises(SignatureError, match=r"inline/recommend.onnx: inputs are history .*, candidates"):
        open_with(tiny_bundle, tiny.score_model())


def test_a_file_that_is_no_model_is_refused(tiny_bundle: Path) -> None:
    (tiny_bundle / "inline/recommend.onnx").write_bytes(b"no model")
    bundle = reread(tiny_bundle)
    with pytest.raises(BundleError, match=r"recommend.onnx: onnxruntime .* cannot load it"):
        open_session(bundle, bundle.variant("onnx-inline"))


@pytest.mark.parametrize("location", ["../outside.bin", "../../outside.bin", "{absolute}"])
def test_weights_outside_the_bundle_are_refused(tiny_bundle: Path, tmp_path: Path, location: str) -> None:
    for folder in (tiny_bundle, tmp_path):
        (folder / "outside.bin").write_bytes(tiny.TABLE.tobytes())
    model = tiny.recommend_model(external=True)
    (table,) = (tensor for tensor in model.graph.initializer if tensor.name == "table")
    table.external_data[0].value = location.format(absolute=tmp_path / "outside.bin")
    with pytest.raises(BundleError, match=r"recommend.onnx: onnxruntime .* cannot load it"):
        open_with(tiny_bundle, model)


def test_a_runtime_that_is_too_old_is_named_with_both_versions(rewrite: Rewrite) -> None:
    bundle = Bundle.open(rewrite(b'"min_runtime_version": "1.17.0"', b'"min_runtime_version": "99.1"'))
    with pytest.raises(
        MissingRuntimeError, match=r"onnxruntime is 1\.[\d.]+, variant onnx-fp32 needs at least 99\.1\. Run: pip"
    ):
        open_session(bundle, bundle.variant("onnx-fp32"))


@pytest.mark.parametrize("version", ["1.9", "1.9.12", "1.17.0.dev3", "1.17rc1"])
def test_versions_compare_as_numbers(rewrite: Rewrite, version: str) -> None:
    bundle = Bundle.open(rewrite(b'"1.17.0"', f'"{version}"'.encode()))
    open_session(bundle, bundle.variant("onnx-fp32"))


@pytest.mark.parametrize(
    ("module", "variant", "remedy"),
    [
        ("onnxruntime", "onnx-fp32", "pip install -U onnxruntime"),
        ("ai_edge_litert", "tflite-fp32", r"pip install 'sasrec-edge\[export\]'"),
    ],
)
def test_a_runtime_that_is_not_installed_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, variant: str, remedy: str
) -> None:
    tiny.write(tmp_path / "bundle", tflite=b"any")
    bundle = Bundle.open(tmp_path / "bundle")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingRuntimeError, match=f"variant {variant} needs {module}, .*{remedy}"):
        open_session(bundle, bundle.variant(variant))
    assert issubclass(MissingRuntimeError, ImportError)
