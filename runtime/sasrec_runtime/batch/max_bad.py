"""The largest number of bad rows that a user accepts."""

from fractions import Fraction

import msgspec

from sasrec_runtime.errors import RequestError

__all__ = ["MaxBad"]


class MaxBad(msgspec.Struct, frozen=True):
    """A limit of bad rows, as a count or as a share of the rows read."""

    text: str
    """The limit as the caller wrote it, for messages."""
    rows: int | None
    """The limit as a count of rows; None where it is a share."""
    share: Fraction
    """The share, in 0…1; 0 where it is a count."""

    @classmethod
    def parse(cls, text: str) -> "MaxBad":
        """Return the limit of a text such as `1%` or `100`.

        Raises:
            RequestError: It is neither a percentage from 0% to 100% nor a count.
        """
        number = text.strip().removesuffix("%")
        is_share = text.strip().endswith("%")
        if number.isascii() and number.isdecimal() and len(number) <= 18 and not is_share:
            return cls(text, int(number), Fraction(0))
        if is_share and len(number) <= 18 and number.isascii() and number.replace(".", "", 1).isdecimal():
            share = Fraction(number) / 100
            if share <= 1:
                return cls(text, None, share)
        raise RequestError(f"max_bad is {text!r:.80}, expected a percentage such as 1%, or a count such as 100.")

    def is_exceeded(self, bad_rows: int, rows: int) -> bool:
        """Whether these are more bad rows than the limit, which itself is allowed."""
        return bad_rows > (self.rows if self.rows is not None else self.share * rows)
