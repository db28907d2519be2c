"""The filters of a log, as a RUN records them. rating_filter and k_core apply them."""

import math
from typing import Annotated

import msgspec

from sasrec_train.errors import ConfigError

__all__ = ["Filters"]

AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows, users and items are filtered, in the order of application."""

    min_rating: float | None = None
    """Rows rated lower are filtered."""
    rating_column: str | None = None
    """The column of ratings; None for the one with a usual name."""
    k_core: AtLeastOne | None = None
    """k-core: users and items with fewer interactions are filtered, until all that remain have enough."""
    min_history: AtLeastOne | None = None
    """Users with fewer interactions are filtered."""

    def __post_init__(self) -> None:
        if self.rating_column is not None and self.min_rating is None:
            raise ConfigError("--rating-column has no effect without --min-rating. Give both or neither.")
        if self.min_rating is not None and not math.isfinite(self.min_rating):
            raise ConfigError(f"--min-rating is {self.min_rating}, expected a number.")
        if self.k_core is not None and self.min_history is not None and self.min_history <= self.k_core:
            raise ConfigError(
                f"--min-history {self.min_history} has no effect beside --k-core {self.k_core}, which asks as much of "
                "users. Omit it, or raise it."
            )
