"""The .ort form of a variant: onnxruntime's own format, optimized ahead of time, for builds with few operators.

`required_operators.config` names the operators that such a build needs. A .ort file belongs to the versions of
onnxruntime around the one that wrote it, and holds its weights itself, so the .onnx files stay beside it.
"""

import contextlib
import io
import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

from onnxruntime.tools import convert_onnx_models_to_ort as converter

from sasrec_export.errors import ConversionError

__all__ = ["CONFIG", "write"]

CONFIG = "required_operators.config"


def write(models: list[Path], weights: list[Path]) -> list[Path]:
    """Write the .ort file of each .onnx file beside it, and one CONFIG for all; return the files written.

    Args:
        models: .onnx files of one folder.
        weights: Files of that folder that they read.

    Raises:
        ConversionError: onnxruntime cannot convert one.
    """
    with tempfile.TemporaryDirectory() as place, _quiet():
        source, target = Path(place) / "onnx", Path(place) / "ort"
        source.mkdir()
        for file in [*models, *weights]:
            shutil.copyfile(file, source / file.name)
        try:
            converter.convert_onnx_models_to_ort(
                source, output_dir=target, optimization_styles=[converter.OptimizationStyle.Fixed]
            )
        except Exception as error:  # its classes share no base but Exception
            raise ConversionError(
                f"onnxruntime cannot write {models[0].parent.name} as .ort: {error!s:.300}"
            ) from error
        written = []
        for model in models:
            written.append(model.with_suffix(".ort"))
            shutil.copyfile(target / written[-1].name, written[-1])
        # Comments name the folder of the conversion.
        lines = (target / CONFIG).read_text(encoding="utf-8").splitlines(keepends=True)
        config = models[0].parent / CONFIG
        config.write_text("".join(line for line in lines if not line.startswith("#")), encoding="utf-8")
        return [*written, config]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the converter's progress, which goes to stdout and to the root logger, from the user."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # the converter leaves files to the garbage collector
            yield
    finally:
        logging.disable(disabled)
