"""Which column of a table means what: asked for by name, or known by the names such columns usually have."""

import difflib
from collections.abc import Sequence

from sasrec_train.errors import DataError

__all__ = ["ITEM_NAMES", "RATING_NAMES", "TIME_NAMES", "TITLE_NAMES", "USER_NAMES", "find", "guess"]

# Compared without case, blanks, "_" and "-"; the first of a list that a table has is taken.
USER_NAMES = ("user", "userid", "uid", "customerid", "customer", "reviewerid", "visitorid", "memberid", "sessionid")
ITEM_NAMES = (
    "item", "itemid", "iid", "movieid", "productid", "articleid", "parentasin", "asin", "sku", "trackid", "songid",
    "bookid", "movie", "product", "article",
)  # fmt: skip
TIME_NAMES = (
    "timestamp", "time", "ts", "datetime", "unixtimestamp", "unixtime", "unixreviewtime", "eventtime", "createdat",
    "tdat", "date",
)  # fmt: skip
RATING_NAMES = ("rating", "stars", "score", "overall", "ratings", "ratingscore", "userrating", "reviewscore", "star")
TITLE_NAMES = ("title", "itemtitle", "movietitle", "name", "itemname", "productname", "prodname", "producttitle")


def find(place: str, seen: Sequence[str], *, option: str, asked: str | None, usual: Sequence[str]) -> str:
    """Return the name of the column an option stands for.

    Args:
        place: The file, for messages.
        seen: The table's column names.
        option: The option that names the column, for messages.
        asked: The option's value; None to guess.
        usual: What such columns are usually called, best first.

    Raises:
        DataError: There is no such column.
    """
    listed = ", ".join(repr(name) for name in seen)
    if asked is None:
        guessed = guess(seen, usual)
        if guessed is None:
            raise DataError(f"{place} has the columns {listed}; none is known by its name. Say which with {option}.")
        return guessed
    if asked not in seen:
        close = difflib.get_close_matches(asked.lower(), [name.lower() for name in seen], 1)
        hint = next((f" Did you mean {name!r}?" for name in seen if close and name.lower() == close[0]), "")
        raise DataError(f"{place} has no column {asked!r} ({option}); it has {listed}.{hint}")
    return asked


def guess(seen: Sequence[str], usual: Sequence[str]) -> str | None:
    """Return the column with the most usual name, or None."""
    known = {name.lower().translate(str.maketrans("", "", "_- .")): name for name in reversed(seen)}
    return next((known[name] for name in usual if name in known), None)
