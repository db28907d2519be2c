"""How a session computes on this machine: threads, memory, and on which hardware."""

from pathlib import Path
from typing import Any, Final, TypedDict, get_args

import msgspec

from sasrec_runtime.digests import Verify
from sasrec_runtime.errors import ProviderError, RequestError, shown

__all__ = ["CPU", "OptionNames", "SessionOptions", "provider_names"]

CPU: Final = "CPUExecutionProvider"
"""onnxruntime's provider that every build has, and that runs what another cannot."""

MAX_THREADS: Final = 1024
"""More threads than any machine that runs one call has cores; 10,000 were not started in half a minute."""

SUFFIX: Final = "ExecutionProvider"


class SessionOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a session; the defaults are those of a device that has other work, too.

    Weights beside a model file are always mapped, never copied: onnxruntime does so of itself.
    """

    threads: int = 1
    """Threads one call computes on; at least 1."""
    spinning: bool = False
    """Waiting threads spin: faster by some microseconds with threads > 1, at the price of a busy core. ONNX only."""
    arena: bool = True
    """Keep the memory of a call for the next one. False gives it back after each call, which costs time. ONNX only."""
    providers: tuple[str, ...] = (CPU,)
    """onnxruntime's execution providers by name, the first that can run a node does; "cpu" is short for
    "CPUExecutionProvider", and always comes last. ONNX only."""

    weight_cache: str | Path | None = None
    """A file in which XNNPACK keeps its packed copy of the weights: the first load writes it, later ones map it. Beside
    it FILE.json says which model and version of LiteRT it belongs to; for any other it is written again. One file per
    variant. TFLite only; ONNX weights are mapped anyway."""

    verify: Verify | None = None
    """What is compared with the manifest before the engine parses a file: "digests" hashes every file, "sizes" hashes
    none. None hashes all where the variant's files and the vocabulary have `digests.LIMIT_BYTES` together at most, and
    else the smallest ones, the graphs among them."""

    def __post_init__(self) -> None:
        if not isinstance(self.threads, int) or not 1 <= self.threads <= MAX_THREADS:
            raise RequestError(f"threads is {shown(self.threads)}, expected a whole number in 1…{MAX_THREADS}.")
        if self.verify not in (None, *get_args(Verify)):
            raise RequestError(f"verify is {shown(self.verify)}, expected {', '.join(get_args(Verify))} or None.")
        providers: object = self.providers
        if isinstance(providers, str):
            raise RequestError(f"providers is the single text {providers!r:.80}, expected a sequence of names.")
        if not isinstance(providers, list | tuple) or not all(isinstance(name, str) for name in providers):
            raise RequestError(f"providers is {shown(providers)}, expected a sequence of names.")


class OptionNames(TypedDict, total=False):
    """The fields of `SessionOptions` as keyword arguments."""

    threads: int
    spinning: bool
    arena: bool
    providers: tuple[str, ...]
    weight_cache: str | Path | None
    verify: Verify | None


def provider_names(onnxruntime: Any, providers: tuple[str, ...]) -> list[str]:
    """Return the names onnxruntime knows the providers by, the CPU last.

    Raises:
        ProviderError: This build of onnxruntime has no such provider.
    """
    available: list[str] = onnxruntime.get_available_providers()
    known = {name.lower(): name for name in available}
    known |= {name.lower().removesuffix(SUFFIX.lower()): name for name in available}
    names = []
    for given in providers:
        name = known.get(given.lower())
        if name is None:
            raise ProviderError(
                f"execution provider is {given!r:.80}, expected one of {', '.join(available)}, which onnxruntime "
                f"{onnxruntime.__version__} has here. Choose one, or install a build of onnxruntime that has it."
            )
        names.append(name)
    return [*dict.fromkeys(name for name in names if name != CPU), CPU]
