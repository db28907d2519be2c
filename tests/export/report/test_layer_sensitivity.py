"""The layers of a graph, and what they lose in int8."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

pytest.importorskip("onnx_ir")

from sasrec_export.report.measure import graph_layers, layer_sensitivity
from sasrec_export.report.measure.evaluation_set import evaluation_set_of_run
from sasrec_runtime.signature import RECOMMEND

MATRICES = st_numpy.arrays(np.float32, (4, 3), elements=st.floats(-8, 8, width=32))


@given(MATRICES, st.sampled_from([0, 1]))
def test_a_rounded_matrix_is_within_half_a_step_of_its_channel(matrix: Any, axis: int) -> None:
    step = np.abs(matrix).max(axis=axis, keepdims=True) / 127
    assert (np.abs(graph_layers.rounded(matrix, axis=axis) - matrix) <= step / 2 + 1e-6).all()


@pytest.fixture(scope="module")
def model(bundle: Any) -> Any:
    return graph_layers.load(bundle.file(bundle.variant("onnx-fp32").entries[RECOMMEND]))


@pytest.mark.tf
class TestLayers:
    """On the float32 graph of the export tests."""

    def test_each_attention_block_has_its_layers(self, model: Any) -> None:
        kinds = [layer.kind for layer in graph_layers.find(model)]
        blocks = 2
        assert kinds.count("softmax") == kinds.count("scores") == kinds.count("average") == blocks
        assert kinds.count("normalization") >= 2 * blocks
        assert sum(kind.startswith("linear") for kind in kinds) >= 2 * blocks
        assert kinds[-1] == graph_layers.ITEM_TABLE

    def test_no_node_is_in_two_layers_and_no_two_layers_have_one_name(self, model: Any) -> None:
        found = graph_layers.find(model)
        nodes = [node for layer in found for node in layer.nodes]
        assert len(nodes) == len(set(nodes))
        assert len({layer.name for layer in found}) == len(found)

    def test_only_what_was_asked_for_is_quantized(self, model: Any) -> None:
        softmax = next(layer for layer in graph_layers.find(model) if layer.kind == "softmax")
        histories = np.array([[0] * 8 + [1, 2, 3, 4]], np.int32)
        ranges = layer_sensitivity.activation_ranges(model, [softmax], histories)
        graph = graph_layers.quantized(model, [softmax], ranges).graph
        types = [node.op_type for node in graph]
        assert types.count("QuantizeLinear") == types.count("DequantizeLinear") == 2  # before and behind
        assert "QuantizeLinear" not in [node.op_type for node in model.graph]

    def test_a_mask_does_not_stretch_a_range(self, model: Any) -> None:
        softmax = next(layer for layer in graph_layers.find(model) if layer.kind == "softmax")
        histories = np.array([[0] * 8 + [1, 2, 3, 4]], np.int32)
        careful, careless = (
            layer_sensitivity.activation_ranges(model, [softmax], histories, masks=masks) for masks in (False, True)
        )
        assert min(low for low, _ in careful.values()) > -100
        assert min(low for low, _ in careless.values()) < -1e6

    def test_every_layer_is_ranked_by_what_it_loses(self, bundle: Any, run: Any, model: Any) -> None:
        evaluation_set = evaluation_set_of_run(run, run.split())
        variant = layer_sensitivity.graph_variant(bundle)
        assert variant is not None
        found = layer_sensitivity.measure(bundle, variant, evaluation_set)
        names = {layer.name for layer in graph_layers.find(model)} | {layer_sensitivity.ALL}
        assert {layer.name for layer in found.layers} == names
        lost = [layer.lost.value for layer in found.layers]
        assert lost == sorted(lost, reverse=True)
        assert all(found.ndcg - layer.ndcg == pytest.approx(layer.lost.value) for layer in found.layers)
        assert min(layer.overlap for layer in found.layers) < 1  # something was rounded

    def test_a_bundle_without_float_onnx_has_no_graph_to_quantize(self, bundle: Any) -> None:
        import msgspec

        from sasrec_runtime.bundle import Bundle

        others = [variant for variant in bundle.manifest.variants if variant.name != "onnx-fp32"]
        manifest = msgspec.structs.replace(bundle.manifest, variants=others)
        assert layer_sensitivity.graph_variant(Bundle(bundle.path, manifest)) is None
