"""The options --among, --groups, --exclude-group and --at-most-per-group, as arguments of a request."""

from pathlib import Path

import click

from sasrec_runtime.errors import RequestError
from sasrec_runtime.recommender import AllowedSet, Groups, Recommender
from sasrec_runtime.selection import text_files
from sasrec_runtime.selection.limits import LimitNames

__all__ = ["allowed_set", "limits"]


def allowed_set(path: Path | None, recommender: Recommender) -> AllowedSet | None:
    """Return the allowed set in a file of keys, None where none is named.

    Raises:
        OSError: The file cannot be read.
        RequestError: It holds no item of the bundle.
    """
    if path is None:
        return None
    place = "standard input" if path == text_files.STDIN else str(path)
    keys = text_files.read_keys(path)
    if not keys:
        raise RequestError(f"{place} is empty, expected item keys, one a line. Leave out --among to allow every item.")
    return AllowedSet.of(keys, recommender, place=place)


def limits(
    path: Path | None, exclude_groups: tuple[str, ...], at_most_per_group: int | None, recommender: Recommender
) -> LimitNames:
    """Return what the options about groups say, as arguments of a request.

    Raises:
        OSError: The file cannot be read.
        RequestError: It is not a file of groups.
        UsageError: None is named.
    """
    if path is None:
        if exclude_groups or at_most_per_group is not None:
            option = "--exclude-group" if exclude_groups else "--at-most-per-group"
            raise click.UsageError(f"{option} needs the groups of the items. Name their file with --groups.")
        return {}
    groups = Groups.load(path, recommender)
    return {"groups": groups, "exclude_groups": exclude_groups, "at_most_per_group": at_most_per_group}
