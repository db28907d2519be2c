"""From a RUN to one that knows more items: their vectors are estimated, nothing is trained."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from sasrec_runtime.atomic import folder, overlap
from sasrec_train import datasets, untrusted_files
from sasrec_train.errors import DataError
from sasrec_train.evaluation import evaluate
from sasrec_train.log import titles as titles_module
from sasrec_train.log.filters import Filters
from sasrec_train.log.interactions import Interactions
from sasrec_train.new_items import feature_table, joined_log, record
from sasrec_train.new_items.feature_table import FeatureTable
from sasrec_train.new_items.joined_log import Joined
from sasrec_train.new_items.record import Record
from sasrec_train.new_items.vectors import Estimator, NewVectors
from sasrec_train.run import CONFIG, RUN, Run, files
from sasrec_train.split import SplitConfig

__all__ = ["Added", "add_items"]

COPIED = {"history.csv": 2**24, "learning_curve.svg": 2**24}
"""Files that describe the training and stay as they are, with a limit of their size in bytes."""


@dataclass(frozen=True, slots=True)
class Added:
    """What add_items did."""

    run: Run
    """The RUN that was written."""
    before: dict[str, Any]
    """The metrics of the RUN that was read; those of the new one are of the same users and held-out items."""
    vectors: NewVectors
    """The rows of the new items, and what they were made of."""
    continued_users: int
    """Users of the old RUN who have rows in the new log."""
    new_users: int
    """Users whom the old RUN does not have."""


def add_items(
    source: str | Path | Run,
    out: str | Path,
    *,
    log: str | Path | None = None,
    features: str | Path | None = None,
    user_column: str | None = None,
    item_column: str | None = None,
    time_column: str | None = None,
    rating_column: str | None = None,
    titles: str | Path | None = None,
    expected_count: float | None = None,
    force: bool = False,
) -> Added:
    """Write a RUN with vectors for items that the model has never seen, and measure it.

    Old ids, weights and held-out items stay, bit for bit. New items come after the old ones. Rows that the old RUN
    filtered by min_rating are filtered in the new log too; its other filters do not apply.

    Args:
        source: The RUN, or its folder.
        out: The folder to write.
        log: A log with new items, of a form that datasets.load reads; users are joined by their keys. It may repeat
            the whole log of the RUN, or go on where that ended.
        features: A file with a row per item: of new ones, and of at least half of those that the RUN has.
        user_column: Column of user keys of the log; by default the one with a usual name. The same for the others.
        item_column: Column of item keys, of the features and titles too, where they have it.
        time_column: Column of times.
        rating_column: Column of ratings, where the RUN filtered low ones.
        titles: A file with item and title columns, for the new items; by default as datasets.load finds it, then the
            column of that name of the features.
        expected_count: Interactions that a new item is taken to have at least, when its place among popular and rare
            items is chosen: the higher, the more often it is recommended. By default the median of the trained items.
        force: Replace an existing RUN.

    Raises:
        DataError: There is no new item, nothing to make a vector of, or a file cannot be read.
        RunError: The RUN cannot be read.
        OutputError: `out` is in the way, or is read.
    """
    if log is None and features is None:
        raise DataError("There is neither a log nor features. Give one of them or both.")
    run = source if isinstance(source, Run) else Run.load(source)
    out = overlap.resolved(Path(out))
    inputs = [run.path, *(Path(path) for path in (log, features, titles) if path is not None)]
    folder.check(out, RUN, force=force, inputs=inputs)
    earlier = record.read(run)
    new = None
    if log is not None:
        filters = Filters(min_rating=run.config.filters.min_rating, rating_column=rating_column)
        new = datasets.load(
            str(log), user_column=user_column, item_column=item_column, time_column=time_column, titles=titles,
            filters=filters,
        )  # fmt: skip
    table = None if features is None else feature_table.read(Path(features), item_column=item_column)
    joined = _joined(run, new, table, titles, item_column)
    estimate = {"n_trained": earlier.trained_items, "seed": run.seed, "expected_count": expected_count}
    return _write(run, out, joined, table, earlier, estimate, log=log, inputs=inputs, force=force)


def _joined(
    run: Run, new: Interactions | None, table: FeatureTable | None, titles: str | Path | None, item_column: str | None
) -> Joined:
    """Return the joined log with titles, once there is something to add to it."""
    known = set(run.interactions.item_keys)
    if table is not None:
        lacking = len(known.difference(table.keys))
        if 2 * lacking > len(known):
            raise DataError(
                f"{table.path} lacks {lacking:,} of the {len(known):,} items of the RUN, expected at least half of "
                "them: what features say is learned from items that were trained. Give their features too."
            )
    joined = joined_log.join(run.interactions, run.split_points(), new, more_items=[] if table is None else table.keys)
    if joined.interactions.n_items == joined.n_known:
        places = " and ".join(str(name) for name in (new and new.name, table and table.path) if name)
        raise DataError(f"{places}: the RUN has every item of it, expected a new one. There is nothing to add.")
    _refuse_unplaceable(joined, new, table)
    named = joined.interactions.titles
    added = joined.interactions.item_keys[joined.n_known :]
    given = [""] * len(added) if named is None else named[joined.n_known :]
    if table is not None and table.titles is not None:
        of_features = dict(zip(table.keys, table.titles, strict=True))
        given = [title or of_features.get(key, "") for title, key in zip(given, added, strict=True)]
    if titles is not None and new is None:
        given = titles_module.read(Path(titles), added, item_column=item_column)
    if named is None and any(given):
        named = [""] * joined.n_known
    if named is None:
        return joined
    return dataclasses.replace(
        joined, interactions=dataclasses.replace(joined.interactions, titles=[*named[: joined.n_known], *given])
    )


def _refuse_unplaceable(joined: Joined, new: Interactions | None, table: FeatureTable | None) -> None:
    """Refuse a log whose new items nobody took who has a history, where no features speak for them."""
    histories = joined.interactions.histories
    is_known = histories.item_ids <= joined.n_known
    before = np.concatenate([[0], np.cumsum(is_known)])
    has_history = before[:-1] > before[histories.offsets[:-1]][histories.rows()]
    if new is not None and table is None and not (has_history & ~is_known).any():
        raise DataError(
            f"{new.name}: nobody who took one of its {joined.interactions.n_items - joined.n_known:,} new items has "
            f"taken an item before that the RUN knows ({joined.continued_users:,} of its {len(new.user_keys):,} users "
            "are in the RUN). Check --user-column, or give --features."
        )


def _write(
    run: Run,
    out: Path,
    joined: Joined,
    table: FeatureTable | None,
    earlier: Record,
    options: dict[str, Any],
    *,
    log: str | Path | None,
    inputs: Iterable[Path],
    force: bool,
) -> Added:
    from sasrec_train.new_items import enlarged_network  # noqa: PLC0415 - reading a record is light

    model = run.model()
    vectors = Estimator(model, run.split().train, **options).vectors(joined, table)
    larger = enlarged_network.enlarged(model, vectors.rows)
    interactions = joined.interactions
    parts = joined.points.apply(interactions.histories)
    config = msgspec.structs.replace(
        run.config,
        data=interactions.name,
        data_sha256=interactions.sha256,
        model=larger.config,
        split=run.config.split or SplitConfig(),
        added_items=run.config.added_items + len(vectors.rows),
    )
    step = {"log": log, "features": None if table is None else table.path}
    added = Record(
        trained_items=earlier.trained_items,
        interactions=[*earlier.interactions, *vectors.counts.tolist()],
        from_features=[*earlier.from_features, *vectors.from_features.tolist()],
        sources=[
            *earlier.sources,
            {
                **{name: None if path is None else Path(path).name for name, path in step.items()},
                "items": len(vectors.rows),
            },
        ],
    )
    described = files.read_json(run.path / "split.json") | {
        "users": len(interactions.user_keys),
        "items": interactions.n_items,
        "interactions": int(interactions.histories.item_ids.size),
        "train_interactions": int(parts.train.item_ids.size),
    }
    with folder.staged(out, RUN, force=force, inputs=inputs) as staging:
        larger.save(staging / "model.keras")
        files.write_json(staging / CONFIG, msgspec.to_builtins(config))
        files.write_interactions(staging, interactions)
        files.write_split(staging / "split.npz", joined.points)
        files.write_json(staging / "split.json", described)
        files.write_json(staging / "metrics.json", evaluate.on_test(larger, parts))
        record.write(staging, added)
        for name, limit_bytes in COPIED.items():
            if (run.path / name).exists():
                (staging / name).write_bytes(untrusted_files.read(run.path / name, limit_bytes=limit_bytes))
    return Added(Run.load(out), run.metrics, vectors, joined.continued_users, joined.new_users)
