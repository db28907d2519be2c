"""Writing the file of a TFLite variant: both entries as signatures on one item table."""

from pathlib import Path

from sasrec_export.encoder.export_model import ExportModel, ItemTable
from sasrec_export.errors import ExportError
from sasrec_export.export_options import ExportOptions
from sasrec_export.recipes import VariantPlan
from sasrec_export.table.transform import Matrix
from sasrec_export.tflite_writer import check, convert_entries, flatbuffer, metadata, static_int8, weights
from sasrec_export.tflite_writer import table as table_module
from sasrec_export.written import Written
from sasrec_runtime.signature import ENTRIES

__all__ = ["TfliteWriter"]

MODEL = "model.tflite"
BITS = {"int8": 8, "int4": 4}


class TfliteWriter:
    """Writes the TFLite variants of one model.

    Args:
        model: The trained model.
    """

    def __init__(self, model: ExportModel):
        self._model = model
        self._converted: dict[ExportOptions, bytes] = {}  # options → the float32 file of an untransformed table

    def write(self, plan: VariantPlan, table: ItemTable, folder: Path) -> Written:
        """See Writer."""
        engine = plan.engine
        if engine.scoring != ("integer" if table.spec.is_integer else "float"):
            raise ExportError(
                f"{plan.name}: a {table.spec.dtype} table scored in {engine.scoring} arithmetic cannot be written to "
                "TFLite. Expected integers scored in integers, or floats in floats."
            )
        model = flatbuffer.load(self._float_file(plan.options, table.transform))
        if engine.encoder == "static_int8":  # ranges are measured with the table that the variant will hold
            table_module.put_float(model, table.effective())
            static_int8.quantize_activations(model, self._model.calibration, strict=plan.options.strict_int8)
        if engine.encoder in {"static_int8", "dynamic_int8"}:  # what is still float rounds its inputs as it runs
            matrix = table.transform if table.transform is not None and table.transform.ndim == 2 else None
            weights.quantize_linears(model, but=matrix)
        if table.quantized is not None:
            table_module.put_quantized(model, table.quantized, bits=BITS[table.spec.dtype])
        else:
            table_module.put_float(model, table.trained)
        weights.halve(model, table=table.spec.dtype == "float16", weights=engine.encoder == "fp16")
        metadata.describe(model, plan, self._model.model.config, top_k=self._model.top_k)
        path = folder / MODEL
        path.write_bytes(flatbuffer.dump(model))
        check.check(path, table.spec, rows=len(table.trained))
        return Written(files=[path], entries=dict.fromkeys(ENTRIES, path))

    def _float_file(self, options: ExportOptions, transform: Matrix | None) -> bytes:
        """Return the float32 file, still without a table, that variants of these options and transform start from."""
        if transform is not None:
            return self._convert(options, transform)
        if options not in self._converted:
            self._converted[options] = self._convert(options, None)
        return self._converted[options]

    def _convert(self, options: ExportOptions, transform: Matrix | None) -> bytes:
        model = self._model
        return convert_entries.convert(model.model, top_k=model.top_k, options=options, transform=transform)
