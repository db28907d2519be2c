"""Which column of a table means what: asked for by name, or known by the names such columns usually have."""

import difflib
from collections.abc import Sequence

from sasrec_train.errors import DataError
from sasrec_train.log.tables import Table

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
LISTED = 40  # Columns that a message lists.
TITLE_NAMES = ("title", "itemtitle", "movietitle", "name", "itemname", "productname", "prodname", "producttitle")


def find(table: Table, *, option: str, asked: str | None, usual: Sequence[str]) -> str:
    """Return the name of the column an option stands for.

    Args:
        table: The file's table.
        option: The option that names the column, for messages.
        asked: The option's value; None to guess.
        usual: What such columns are usually called, best first.

    Raises:
        DataError: There is no such column, or there are two of that name.
    """
    seen = table.columns
    listed = ", ".join(repr(name)[:80] for name in seen[:LISTED]) + (", …" if len(seen) > LISTED else "")
    if asked is None:
        name = guess(seen, usual)
        if name is None:
            raise DataError(
                f"{table.path} has the columns {listed}; none is known by its name. Say which with {option}."
            )
    elif asked not in seen:
        close = difflib.get_close_matches(asked.lower(), [name.lower() for name in seen], 1)
        hint = next((f" Did you mean {name!r}?" for name in seen if close and name.lower() == close[0]), "")
        raise DataError(f"{table.path} has no column {asked!r} ({option}); it has {listed}.{hint}")
    else:
        name = asked
    if name in table.repeated:
        raise DataError(
            f"{table.path} has two or more columns called {name!r:.80}, expected one. "
            f"Rename the others, or say which column is meant with {option}."
        )
    return name


def guess(seen: Sequence[str], usual: Sequence[str]) -> str | None:
    """Return the column with the most usual name, or None."""
    known = {name.lower().translate(str.maketrans("", "", "_- .")): name for name in reversed(seen)}
    return next((known[name] for name in usual if name in known), None)
