"""What training and running must agree on, though neither imports the other."""

import ast
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec_runtime import history, signature
from sasrec_train.log.padding import left_padded

ROOT = Path(__file__).parents[2]
FORBIDDEN = {
    "runtime/sasrec_runtime": ("sasrec_train", "sasrec_export", "tensorflow", "keras", "onnx"),
    "train/sasrec_train": ("sasrec_runtime", "sasrec_export"),
}
ALLOWED = {
    "train/sasrec_train": (
        "sasrec_runtime.signature",
        "sasrec_runtime.history",
        "sasrec_runtime.atomic",
        "sasrec_runtime.cli.options",
        "sasrec_runtime.cli.printing",
    )
}
"""What training shares with the runtime. `atomic` needs the standard library only, see test_imports.py."""


@pytest.mark.tf
def test_both_call_the_same_id_padding() -> None:
    from sasrec_train.network.model import PAD_ID

    assert PAD_ID == signature.PAD_ID


@given(st.lists(st.integers(1, 99), max_size=12), st.integers(1, 9))
def test_both_pad_and_cut_alike(ids: list[int], max_len: int) -> None:
    ends, lengths = np.array([len(ids)]), np.array([len(ids)])
    trained = left_padded(np.array([*ids, 0], np.int32), ends, lengths, max_len)
    np.testing.assert_array_equal(trained, history.encode(ids, max_len=max_len))


@pytest.mark.parametrize("package", FORBIDDEN)
def test_imports_run_one_way(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            leaves = ALLOWED.get(package, ())
            roots = {name.partition(".")[0] for name in names if not any(_is_in(name, leaf) for leaf in leaves)}
            assert not roots & set(FORBIDDEN[package]), path


def _is_in(name: str, leaf: str) -> bool:
    return f"{name}.".startswith(f"{leaf}.")
