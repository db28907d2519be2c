"""new_items.json of a RUN: which items have vectors without training, and what these were made of."""

from pathlib import Path

import msgspec

from sasrec_train import errors, untrusted_files
from sasrec_train.run import Run, files

__all__ = ["FORMAT_VERSION", "Record", "read"]

FORMAT_VERSION = 1
NAME = "new_items.json"


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """new_items.json. The lists have an entry per added item, in the order of the ids."""

    format_version: int = FORMAT_VERSION
    """Of this file; newer ones are refused."""
    trained_items: int
    """Items that were trained: ids 1 to this. All later ones were added."""
    interactions: list[int]
    """How many interactions each vector was made of; 0: none."""
    from_features: list[bool]
    """Whether features had a say in it."""
    sources: list[dict[str, str | int | None]]
    """What was added in each step: `log` and `features`, names of files without folders, and how many `items`."""

    def __post_init__(self) -> None:
        added = {len(self.interactions), len(self.from_features), sum(int(s.get("items") or 0) for s in self.sources)}
        if len(added) != 1:
            raise ValueError("lists of different lengths")

    @property
    def parts(self) -> list[int]:
        """How many items were trained, then how many each step added: together the catalogue, in the order of ids."""
        return [self.trained_items, *(int(source["items"] or 0) for source in self.sources)]


def read(run: Run) -> Record:
    """Return what was added to a RUN; of one that was only trained, an empty record.

    Raises:
        RunError: The file is corrupted, or of a newer version.
    """
    if not run.config.added_items:
        return Record(trained_items=run.interactions.n_items, interactions=[], from_features=[], sources=[])
    path = run.path / NAME
    content = untrusted_files.read(path, limit_bytes=files.MAX_LIST_BYTES)
    try:
        version = msgspec.json.decode(content, type=dict[str, msgspec.Raw]).get("format_version", b"")
        if bytes(version).isdigit() and int(bytes(version)) > FORMAT_VERSION:
            raise errors.RunError(
                f"{path}: format_version is {int(bytes(version))}, this sasrec-edge reads up to {FORMAT_VERSION}. "
                "Upgrade it."
            )
        record = msgspec.json.decode(content, type=Record)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise errors.corrupted(path, str(error)[:200]) from error
    if len(record.interactions) != run.config.added_items:
        raise errors.corrupted(path, f"{len(record.interactions)} items, where {run.config.added_items} were added")
    if record.trained_items + run.config.added_items != run.interactions.n_items:
        raise errors.corrupted(path, f"{record.trained_items} trained items, which do not fit items.txt")
    return record


def write(folder: Path, record: Record) -> None:
    """Write new_items.json."""
    (folder / NAME).write_bytes(msgspec.json.encode(record) + b"\n")
