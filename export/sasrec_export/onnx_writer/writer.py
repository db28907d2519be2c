"""Writing the files of an ONNX variant: one model for each entry, on shared weights."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir

from sasrec_export.encoder.export_model import ExportModel, ItemTable
from sasrec_export.errors import ExportError
from sasrec_export.onnx_writer import convert_encoder, entries, ort_format
from sasrec_export.onnx_writer import files as files_module
from sasrec_export.onnx_writer.static_int8 import Calibration, quantize_blocks
from sasrec_export.onnx_writer.tables.fp32 import Fp32Table, Table
from sasrec_export.onnx_writer.tables.int4 import Int4Table
from sasrec_export.onnx_writer.tables.int8 import Int8BatchTable, Int8FloatTable, Int8Table
from sasrec_export.onnx_writer.user_vector import Blocks
from sasrec_export.recipes import VariantPlan
from sasrec_export.search_plan import SearchPlan
from sasrec_export.written import Written
from sasrec_runtime.signature import ENTRIES, RECOMMEND, RECOMMEND_BATCH, SCORE

__all__ = ["OnnxWriter"]

WEIGHTS = "weights.bin"


class OnnxWriter:
    """Writes the ONNX variants of one model.

    Args:
        model: The trained model.
    """

    def __init__(self, model: ExportModel):
        self._model = model
        self._converted: dict[int, bytes] = {}  # opset → the float32 blocks, which every variant starts from

    def write(self, plan: VariantPlan, table: ItemTable, folder: Path) -> Written:
        """See Writer."""
        options = plan.options
        blocks = self._blocks(plan, table)
        models: dict[str, ir.Model] = {}
        for entry, stored in _tables(plan, table).items():
            if entry == SCORE:
                models[entry] = entries.score_graph(blocks.copy(), stored, options)
            else:
                models[entry] = entries.recommend_graph(blocks.copy(), stored, options, top_k=self._model.top_k)
        named = {f"{entry}.onnx": model for entry, model in models.items()}
        if options.single_file:
            files = files_module.save_single_files(named, folder)
        else:
            files = files_module.save_sharing_weights(named, folder, WEIGHTS)
        if options.ort_format:
            weights = [file for file in files if file.suffix != ".onnx"]
            files += ort_format.write([folder / f"{entry}.onnx" for entry in ENTRIES], weights)
        return Written(files=files, entries={entry: folder / f"{entry}.onnx" for entry in models})

    def _blocks(self, plan: VariantPlan, table: ItemTable) -> Blocks:
        """Return the blocks of the network, computed as the recipe says."""
        options, model = plan.options, self._model.model
        positions = np.asarray(model.position_embedding.embeddings, np.float32)
        converted = self._float_blocks(options.opset)
        match plan.engine.encoder:
            case "float":
                return Blocks(_read(converted), model.config, positions)
            case "static_int8":
                seen = Calibration(self._model.calibration, table.effective(), positions, model.config)
                quantized = quantize_blocks(converted, seen, method=options.calibration, strict=options.strict_int8)
                return Blocks(_read(quantized.model), model.config, positions, quantized.masked)
            case encoder:
                raise ExportError(
                    f"{plan.name}: the encoder is {encoder!r}, expected 'float' or 'static_int8' in ONNX."
                )

    def _float_blocks(self, opset: int) -> bytes:
        if opset not in self._converted:
            converted = convert_encoder.encoder_to_onnx(self._model.model, opset=opset)
            self._converted[opset] = bytes(ir.to_proto(converted).SerializeToString())
        return self._converted[opset]


def _tables(plan: VariantPlan, table: ItemTable) -> dict[str, Table]:
    """Return the entries of a variant, each with its way to read the item table."""
    rows = SearchPlan.of(len(table.trained) - 1).rows
    stored: Table
    match table.spec.dtype, plan.engine.scoring, table.quantized:
        case "float32", _, _:
            stored = Fp32Table(table.trained, rows=rows)
        case "int8", "integer", quantized if quantized is not None:
            stored = Int8Table(quantized, rows=rows)
            if plan.options.batched_entry and not (plan.options.fixed or plan.options.single_file):
                # A form for many rows; in one file each it would hold the table again.
                return {RECOMMEND: stored, SCORE: stored, RECOMMEND_BATCH: Int8BatchTable(quantized, rows=rows)}
        case "int8", "float", quantized if quantized is not None:
            stored = Int8FloatTable(quantized, rows=rows)
        case "int4", "integer", quantized if quantized is not None:
            stored = Int4Table(quantized, rows=rows)
        case dtype, scoring, _:
            raise ExportError(
                f"{plan.name}: a {dtype} table scored in {scoring} arithmetic cannot be written to ONNX. "
                "Expected float32, int8, or int4 scored in integers."
            )
    return {RECOMMEND: stored, SCORE: stored}


def _read(model: bytes) -> ir.Model:
    return ir.from_proto(onnx.load_model_from_string(model))
