"""The versions that a test run was made with, at its head."""

from importlib import metadata

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
