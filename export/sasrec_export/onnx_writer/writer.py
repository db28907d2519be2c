"""Writing the files of an ONNX variant: one model for `recommend`, one for `score`, on shared weights."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir

from sasrec_export.encoder.export_model import HeldTable, Trained, Written
from sasrec_export.onnx_writer import convert_encoder, entries, files, ort_format
from sasrec_export.onnx_writer.static_int8 import Calibration, quantize_blocks
from sasrec_export.onnx_writer.tables.fp32 import Fp32Table, Table
from sasrec_export.onnx_writer.tables.int4 import Int4Table
from sasrec_export.onnx_writer.tables.int8 import Int8BatchTable, Int8FloatTable, Int8Table
from sasrec_export.onnx_writer.top_k import Stages
from sasrec_export.onnx_writer.user_vector import Blocks
from sasrec_export.recipes import VariantPlan
from sasrec_export.table.gptq import QuantizedTable
from sasrec_runtime.signature import ENTRIES, RECOMMEND, RECOMMEND_BATCH, SCORE

__all__ = ["held_table", "write"]

WEIGHTS = "weights.bin"


def held_table(trained: Trained, plan: VariantPlan) -> HeldTable:
    """Return the table that a variant computes with."""
    if not plan.recipe.table_levels:
        return HeldTable(trained.table)
    quantized = _quantized(trained, plan)
    return HeldTable(quantized.dequantize(), quantized.basis)


def _quantized(trained: Trained, plan: VariantPlan) -> QuantizedTable:
    levels = plan.recipe.table_levels
    if plan.recipe.table_bits == 4:
        return trained.turned(levels)
    return trained.stretched(levels) if plan.recipe.activation_levels else trained.quantized(levels)


def write(trained: Trained, plan: VariantPlan, folder: Path) -> Written:
    """Write the files of one variant into `folder`, an existing empty one."""
    shape = plan.shape
    models: dict[str, ir.Model] = {}
    for entry, table in _tables(trained, plan).items():
        blocks = _blocks(trained, plan)
        if entry == SCORE:
            models[entry] = entries.score_graph(blocks, table, shape)
        else:
            models[entry] = entries.recommend_graph(blocks, table, shape, top_k=trained.top_k)
    named = {f"{entry}.onnx": model for entry, model in models.items()}
    if shape.single_file:
        files = files.save_single_files(named, folder)
    else:
        files = files.save_sharing_weights(named, folder, WEIGHTS)
    if shape.ort_format:
        weights = [file for file in files if file.suffix != ".onnx"]
        files += ort_format.write([folder / f"{entry}.onnx" for entry in ENTRIES], weights)
    return Written(files=files, entries={entry: folder / f"{entry}.onnx" for entry in models})


def _tables(trained: Trained, plan: VariantPlan) -> dict[str, Table]:
    """Return the entries of a variant, each with its way to the item table."""
    rows = Stages.of(trained.model.config.n_items).rows
    recipe = plan.recipe
    if not recipe.table_levels:
        table: Table = Fp32Table(trained.table, rows=rows)
        return {RECOMMEND: table, SCORE: table}
    quantized = _quantized(trained, plan)
    if recipe.table_bits == 4:
        table = Int4Table(quantized, rows=rows)
    elif not recipe.activation_levels:
        table = Int8FloatTable(quantized, rows=rows)
    else:
        table = Int8Table(quantized, rows=rows)
        shape = plan.shape
        if shape.batch_form and not (shape.fixed or shape.single_file):  # one file each would hold the table again
            return {RECOMMEND: table, SCORE: table, RECOMMEND_BATCH: Int8BatchTable(quantized, rows=rows)}
    return {RECOMMEND: table, SCORE: table}


def _blocks(trained: Trained, plan: VariantPlan) -> Blocks:
    """Return the blocks of the network; a graph takes them apart, so each has its own."""
    shape, config = plan.shape, trained.model.config
    positions = np.asarray(trained.model.position_embedding.embeddings, np.float32)
    converted = trained.once(f"onnx blocks {shape.opset}", lambda: _converted(trained, shape.opset))
    if not plan.engine.encoder_tolerance:
        return Blocks(_read(converted), config, positions)
    seen = Calibration(trained.calibration, held_table(trained, plan).values, positions, config)
    quantized = trained.once(
        f"int8 blocks {shape.opset} {shape.calibration} {shape.strict_int8}",
        lambda: quantize_blocks(converted, seen, method=shape.calibration, strict=shape.strict_int8),
    )
    return Blocks(_read(quantized.model), config, positions, quantized.masked)


def _read(model: bytes) -> ir.Model:
    return ir.from_proto(onnx.load_model_from_string(model))


def _converted(trained: Trained, opset: int) -> bytes:
    return bytes(ir.to_proto(convert_encoder.encoder_to_onnx(trained.model, opset=opset)).SerializeToString())
