"""Exclusion and the two-stage top-k are exact: the same items as a full stable sort, ties to the lower id."""

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sasrec_export.export_options import ExportOptions
from sasrec_export.onnx_writer import top_k
from sasrec_export.onnx_writer.graph_builder import GraphBuilder
from sasrec_export.search_plan import SearchPlan


def search(n_ids: int, block: int, opset: int, *, scaled: bool = False) -> onnxruntime.InferenceSession:
    """scores (B, rows), exclude (B, E), k, and where `scaled` factor (B, 1) → values, rows."""
    rows = -(-n_ids // block) * block if block else n_ids
    stages = SearchPlan(rows=rows, block=block, ids=n_ids)
    builder = GraphBuilder()
    scores = ir.val("scores", ir.DataType.FLOAT, ["batch", rows])
    exclude = ir.val("exclude", ir.DataType.INT32, ["batch", "excluded"])
    k = ir.val("k", ir.DataType.INT64, [1])
    left = top_k.exclude(builder, scores, exclude, exclude, stages)
    factor = ir.val("factor", ir.DataType.FLOAT, ["batch", 1]) if scaled else None
    values, places = top_k.top_k(builder, left, k, stages, ExportOptions(opset=opset), factor=factor)
    values.name, places.name = "values", "places"
    for value, dtype in ((values, ir.DataType.FLOAT), (places, ir.DataType.INT64)):
        value.dtype, value.shape = dtype, ir.Shape(["batch", "k"])
    graph = ir.Graph(
        [scores, exclude, k, *([factor] if factor else [])], [values, places], nodes=builder.nodes,
        initializers=builder.initializers, opset_imports={"": opset}, name="search",
    )  # fmt: skip
    return onnxruntime.InferenceSession(ir.to_proto(ir.Model(graph, ir_version=10)).SerializeToString())


SESSIONS = {
    (ids, block, opset): search(ids, block, opset)
    for ids, block in ((40, 8), (37, 8), (37, 0), (3, 4))
    for opset in (17, 18, 27)
}


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(SESSIONS)), st.data())
def test_the_search_equals_a_full_sort(key, data) -> None:
    ids, block, _ = key
    rows = -(-ids // block) * block if block else ids
    batch = data.draw(st.integers(1, 3))
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    spread = data.draw(st.sampled_from([2, 5, 1000]))  # small: many ties
    scores = rng.integers(-spread, spread, (batch, rows)).astype(np.float32)
    scores[:, ids:] = 9e9  # rows that only fill a block would win
    exclude = rng.integers(0, ids, (batch, data.draw(st.integers(0, ids + 5)))).astype(np.int32)
    k = data.draw(st.integers(1, ids - 1))

    values, places = SESSIONS[key].run(None, {"scores": scores, "exclude": exclude, "k": np.array([k])})

    left = scores[:, :ids].copy()
    left[:, 0] = -np.inf
    np.put_along_axis(left, exclude, -np.inf, axis=1)
    best = np.argsort(-left, axis=1, kind="stable")[:, :k]
    expected = np.take_along_axis(left, best, axis=1)
    np.testing.assert_array_equal(values, expected)
    shown = ~np.isneginf(expected)
    np.testing.assert_array_equal(places[shown], best[shown])


SCALED = {(ids, block): search(ids, block, 17, scaled=True) for ids, block in ((40, 8), (37, 8), (37, 0), (70, 16))}


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(SCALED)), st.data())
def test_scores_are_ranked_as_they_are_returned_not_as_they_were_before_the_last_rounding(key, data) -> None:
    ids, block = key
    rows = -(-ids // block) * block if block else ids
    batch = data.draw(st.integers(1, 3))
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    # A few units in the last place below 2, and products above 1, where such units are relatively wider: many that
    # differed become equal.
    steps = rng.integers(0, data.draw(st.sampled_from([2, 4, 16])), (batch, rows))
    scores = (1.9 - steps * np.finfo(np.float32).eps).astype(np.float32)
    scores *= rng.choice(np.array([1, -1], np.float32), (batch, rows))
    factor = rng.uniform(0.53, 0.6, (batch, 1)).astype(np.float32)
    exclude = rng.integers(0, ids, (batch, data.draw(st.integers(0, 4)))).astype(np.int32)
    k = data.draw(st.integers(1, ids - 1))

    feeds = {"scores": scores, "exclude": exclude, "k": np.array([k]), "factor": factor}
    values, places = SCALED[key].run(None, feeds)

    left = scores[:, :ids] * factor
    left[:, 0] = -np.inf
    np.put_along_axis(left, exclude, -np.inf, axis=1)
    best = np.argsort(-left, axis=1, kind="stable")[:, :k]
    expected = np.take_along_axis(left, best, axis=1)
    np.testing.assert_array_equal(values, expected)
    shown = ~np.isneginf(expected)
    np.testing.assert_array_equal(places[shown], best[shown])


@pytest.mark.parametrize("n_items", [1, 19_998, 19_999, 23_715, 60_000, 1_000_000])
def test_the_rows_fill_whole_blocks_and_hold_every_id(n_items) -> None:
    stages = SearchPlan.of(n_items)
    assert stages.ids == n_items + 1
    assert stages.ids <= stages.rows < stages.ids + max(1, stages.block)
    assert stages.block == 0 or stages.rows % stages.block == 0
