"""Files of a RUN made to hurt: archives that claim too much, JSON too deep, networks of other classes."""

import io
import json
import pickle
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["JSONS", "NOT_FINITE", "archives", "kerases"]

NOT_FINITE = "weights that are not finite"


def npz(**arrays: bytes) -> bytes:
    """Return an .npz of raw members."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in arrays.items():
            archive.writestr(f"{name}.npy", content)
    return data.getvalue()


def npy(header: str, content: bytes = b"") -> bytes:
    """Return an .npy with any header."""
    text = header.encode("latin-1")
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + content


def claiming(shape: str, dtype: str = "<i8") -> bytes:
    return npy(f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}", b"\0" * 64)


def archives() -> dict[str, bytes]:
    """Return crafted .npz files, whole but for one array; every name that a RUN reads is there."""
    names = ("offsets", "item_ids", "train_ends", "validation", "test")

    def every(content: bytes) -> bytes:
        return npz(**dict.fromkeys(names, content))

    objects = npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", pickle.dumps([print]))
    return {
        "10^12 entries": every(claiming("(1000000000000,)")),
        "10^30 entries": every(claiming(f"({10**30},)")),
        "negative shape": every(claiming("(-5,)")),
        "shape that overflows": every(claiming("(4294967296, 4294967296)")),
        "shape True": every(claiming("(True,)")),
        "pickled objects": every(objects),
        "header that is not Python": every(npy("{'descr': ")),
        "header of brackets": every(npy("(" * 60_000)),
        "header of 10^5 digits": every(
            npy(f"{{'descr': '<i8', 'fortran_order': False, 'shape': ({'9' * 50_000},), }}")
        ),
        "unknown dtype": every(claiming("(8,)", "<q99")),
        "no arrays": npz(),
        "not .npy inside": every(b"nonsense"),
        "bomb": every(npy("{'descr': '<i8', 'fortran_order': False, 'shape': (32000000,), }", bytes(256_000_000))),
        "plain .npy": claiming("(8,)"),
        "empty": b"",
    }


DEEP = b"[" * 500_000 + b"]" * 500_000
JSONS = {
    "deep list": DEEP, "deep object": b'{"full":' * 200_000 + b"1" + b"}" * 200_000, "NaN": b'{"full": NaN}',
    "digits": b'{"format_version": ' + b"9" * 100_000 + b"}", "list": b"[]", "null": b"null", "empty": b"",
    "UTF-16": '{"full": {}}'.encode("utf-16"), "twice": b'{"full": {}, "full": 1, "sampled": {}}', "text": b'"x"',
}  # fmt: skip


def kerases(original: bytes) -> dict[str, bytes]:
    """Return crafted model.keras files."""
    with zipfile.ZipFile(io.BytesIO(original)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    weights, config = "model.weights.h5", "config.json"

    def built(name: str, content: bytes | None) -> bytes:
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
            for part, written in (parts | {name: content}).items():
                if written is not None:
                    archive.writestr(part, written)
        return data.getvalue()

    def of_class(module: str, name: str, values: dict[str, Any]) -> bytes:
        return built(config, json.dumps({"module": module, "class_name": name, "config": values}).encode())

    lambda_layer = {"function": {"class_name": "__lambda__", "config": {"code": "x"}}}
    return {
        "no config": built(config, None),
        "no weights": built(weights, None),
        "empty weights": built(weights, b""),
        "half the weights": built(weights, parts[weights][: len(parts[weights]) // 2]),
        "deep config": built(config, DEEP),
        "Lambda": of_class("keras.layers", "Lambda", lambda_layer),
        "TorchModuleWrapper": of_class("keras.layers", "TorchModuleWrapper", {"module": "gASVAA=="}),
        "os.system": of_class("os", "system", {"command": "true"}),
        "unknown class": of_class("sasrec_train.network.model", "Nothing", {}),
        "other model": of_class("keras", "Sequential", {"layers": []}),
        NOT_FINITE: built(weights, _not_finite(parts[weights])),
        "bomb": built(weights, bytes(1 << 28)),
        "no zip": b"nonsense",
        "empty": b"",
    }


def _not_finite(weights: bytes) -> bytes:
    """Return the weights with NaN in the largest array, the item table."""
    import h5py

    with tempfile.NamedTemporaryFile(suffix=".h5") as file:
        Path(file.name).write_bytes(weights)
        with h5py.File(file.name, "r+") as opened:
            found: list[Any] = []
            opened.visititems(lambda _, node: found.append(node) if isinstance(node, h5py.Dataset) else None)
            largest = max((node for node in found if node.ndim == 2), key=lambda node: node.size)
            largest[1] = np.nan
        return Path(file.name).read_bytes()
