"""Loading a bundle for a recommender: the first variant that can run, and a large vocabulary beside it."""

import contextlib
import threading
from collections.abc import Collection, Iterator, Sequence

from sasrec_runtime.bundle import Bundle
from sasrec_runtime.engines.contract import Session
from sasrec_runtime.engines.open import open_session
from sasrec_runtime.engines.options import OptionNames
from sasrec_runtime.errors import MissingRuntimeError, SasrecError
from sasrec_runtime.manifest import Variant
from sasrec_runtime.vocabulary.vocabulary import MAPPED_FROM

__all__ = ["open_first", "vocabulary_beside"]


@contextlib.contextmanager
def vocabulary_beside(bundle: Bundle, to_hash: Collection[str]) -> Iterator[None]:
    """Read the vocabulary of a large catalogue in a thread while the model is loaded; each takes a tenth of a second.

    Args:
        bundle: The bundle.
        to_hash: As for `Bundle.load_vocabulary`.
    """
    if bundle.manifest.model.n_items < MAPPED_FROM:
        yield
        return

    def read() -> None:
        with contextlib.suppress(SasrecError, OSError):  # raised again on the next access
            bundle.load_vocabulary(to_hash)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield
    finally:
        reader.join()


def open_first(bundle: Bundle, candidates: Sequence[Variant], options: OptionNames) -> tuple[Variant, Session]:
    """Return the first variant whose runtime is installed, and its session."""
    failures: list[MissingRuntimeError] = []
    for candidate in candidates:
        try:
            return candidate, open_session(bundle, candidate, **options)
        except MissingRuntimeError as error:
            failures.append(error)
    if len(failures) == 1:
        raise failures[0]
    raise MissingRuntimeError(f"No variant of {bundle.path} can run. {' '.join(map(str, failures))}")
