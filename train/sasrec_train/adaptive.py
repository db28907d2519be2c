"""What the preset `modern` fits to a log: sequence length, dropout, loss and negatives, by rules that were measured.

docs/design-notes.md has the measurements behind the limits. All were chosen on validation items alone.
"""

from collections.abc import Collection
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from sasrec_train import loss_registry

__all__ = ["NOTHING", "Adapted", "LogProfile", "adapt", "profile"]

LENGTHS: Final = (50, 100, 200)
"""Sequence lengths to choose from, in items."""

COVERED: Final = 0.9
"""Share of the interactions that the chosen sequence length should hold."""

DROPOUTS: Final = ((100, 0.2), (0, 0.3))
"""From so many interactions per item on, the dropout rate: the fewer times an item is seen, the more."""


class LogProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules look at."""

    items: int
    """Catalogue size without the padding id."""
    interactions: int
    """Interactions, repeats included."""
    longest: int
    """Items of the longest history."""
    covered: tuple[float, ...]
    """Share of the interactions that are among the newest LENGTHS[i] of their user."""

    @property
    def per_item(self) -> float:
        """Mean number of interactions of an item."""
        return self.interactions / max(1, self.items)


class Adapted(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that a log decides."""

    model: dict[str, Any]
    """Fields of ModelConfig."""
    train: dict[str, Any]
    """Fields of TrainConfig."""
    reasons: dict[str, str]
    """Field → its value and why, in a few words."""

    def explanation(self, given: Collection[str] = ()) -> str:
        """Return what was chosen and why, in a sentence; empty where nothing was.

        Args:
            given: Fields that somebody else decided.
        """
        return "; ".join(reason for field, reason in self.reasons.items() if field not in given)


NOTHING: Final = Adapted(model={}, train={}, reasons={})
"""Of no log."""


def profile(lengths: NDArray[np.int64], n_items: int) -> LogProfile:
    """Return what the rules look at in a log.

    Args:
        lengths: (U,), items of each history.
        n_items: Catalogue size without the padding id.
    """
    total = int(lengths.sum())
    return LogProfile(
        items=n_items,
        interactions=total,
        longest=int(lengths.max(initial=0)),
        covered=tuple(float(np.minimum(lengths, most).sum() / total) if total else 1.0 for most in LENGTHS),
    )


def adapt(seen: LogProfile) -> Adapted:
    """Return the fields that a log decides.

    Args:
        seen: The log's profile.
    """
    reaching = [index for index, share in enumerate(seen.covered) if share >= COVERED]
    index = reaching[0] if reaching else len(LENGTHS) - 1
    dropout_rate = next(rate for least, rate in DROPOUTS if seen.per_item >= least)
    loss = loss_registry.automatic(seen.items)
    return Adapted(
        model={"max_len": LENGTHS[index], "dropout_rate": dropout_rate},
        train={"loss": loss},
        reasons={
            "max_len": f"max_len {LENGTHS[index]}, which holds {seen.covered[index]:.0%} of the interactions (the "
            f"longest history has {seen.longest:,} items)",
            "dropout_rate": f"dropout {dropout_rate:g} for {seen.per_item:,.0f} interactions per item",
            "loss": f"{loss} for {seen.items:,} items",
        },
    )
