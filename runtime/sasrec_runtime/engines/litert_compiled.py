"""LiteRT's CompiledModel behind the interface of its Interpreter: the one that can keep XNNPACK's packed weights.

XNNPACK packs a private copy of every table when a model is loaded. With a weight cache the first start writes that copy
to a file, and later ones map it: they start faster, and processes share its pages.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["CompiledModel", "Signature"]


class CompiledModel:
    """One model file.

    Args:
        path: The file.
        threads: Threads one call computes on.
        weight_cache: File of the packed weights, written where there is none.
    """

    def __init__(self, path: Path, *, threads: int, weight_cache: Path) -> None:
        from ai_edge_litert import compiled_model, cpu_options, options  # noqa: PLC0415 - loads LiteRT

        cpu = cpu_options.CpuOptions(num_threads=threads, xnnpack_weight_cache_path=str(weight_cache))
        self._model: Any = compiled_model.CompiledModel.from_file(str(path), options=options.Options(cpu_options=cpu))

    def get_signature_list(self) -> dict[str, Any]:
        """Return entry → its inputs and outputs."""
        signatures: dict[str, Any] = self._model.get_signature_list()
        return signatures

    def get_signature_runner(self, entry: str) -> "Signature":
        """Return the callable of an entry."""
        return Signature(self._model, entry)


class Signature:
    """One entry: arrays by name in, arrays by name out, resized where their shapes change."""

    def __init__(self, model: Any, entry: str) -> None:
        self._model, self._entry = model, entry
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._inputs: dict[str, Any] = {}
        self._outputs: dict[str, Any] = {}

    def get_input_details(self) -> dict[str, Any]:
        """Return input → dtype and shape, as the Interpreter does."""
        return _details(self._model.get_input_tensor_details(self._entry))

    def get_output_details(self) -> dict[str, Any]:
        """Return output → dtype and shape, as the Interpreter does."""
        return _details(self._model.get_output_tensor_details(self._entry))

    def __call__(self, **arrays: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Run once."""
        shapes = {name: values.shape for name, values in arrays.items()}
        if shapes != self._shapes:
            self._allocate(shapes)
        for name, values in arrays.items():
            self._inputs[name].write(np.ascontiguousarray(values))
        self._model.run_by_name(self._entry, self._inputs, self._outputs)
        answers = {}
        for name, detail in self.get_output_details().items():
            shape = detail["shape_signature"]
            answers[name] = self._outputs[name].read(int(np.prod(shape)), detail["dtype"]).reshape(shape)
        return answers

    def _allocate(self, shapes: dict[str, tuple[int, ...]]) -> None:
        for name, shape in shapes.items():
            if tuple(self.get_input_details()[name]["shape_signature"]) != shape:
                self._model.resize_input_tensor_by_name(self._entry, name, list(shape))
        self._inputs = {name: self._model.create_input_buffer_by_name(self._entry, name) for name in shapes}
        names = self.get_output_details()
        self._outputs = {name: self._model.create_output_buffer_by_name(self._entry, name) for name in names}
        self._shapes = shapes


def _details(tensors: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        name: {"dtype": np.dtype(tensor["dtype"]).type, "shape_signature": tensor["shape"]}
        for name, tensor in tensors.items()
    }
