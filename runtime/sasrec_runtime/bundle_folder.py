"""What a bundle's folder holds: how one is recognised before it is replaced."""

import re
from typing import Final

from sasrec_runtime import manifest
from sasrec_runtime.atomic.kinds import FolderKind

__all__ = ["BUNDLE"]


def _paths(data: bytes) -> list[str]:
    return [entry.path for entry in manifest.decode(data).all_entries()]


BUNDLE: Final = FolderKind(
    name="a bundle",
    marker="manifest.json",
    paths=_paths,
    unmarked=re.compile(
        r"(items|titles)\.txt|golden\.json|README\.md|report\.(json|html)"
        r"|(onnx|tflite)/[a-z0-9_]+/([a-z_]+\.(onnx|ort|tflite)|weights\.bin|required_operators\.config)"
    ),
)
"""The manifest names every file of a bundle."""
