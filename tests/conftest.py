"""The versions that a test run was made with, at its head; and what differs between them."""

import functools
import inspect
from importlib import metadata

from click.testing import CliRunner

if "mix_stderr" in inspect.signature(CliRunner).parameters:  # click 8.1: stdout and stderr are one unless it is told
    CliRunner.__init__ = functools.partialmethod(CliRunner.__init__, mix_stderr=False)

SHOWN = (
    "numpy", "onnxruntime", "msgspec", "click", "ai-edge-litert", "onnx", "onnx-ir", "tf2onnx", "tensorflow", "keras",
    "polars",
)  # fmt: skip


def pytest_report_header() -> str:
    installed = []
    for name in SHOWN:
        try:
            installed.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            installed.append(f"no {name}")
    return "versions: " + ", ".join(installed)
