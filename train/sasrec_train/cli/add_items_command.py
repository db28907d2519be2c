"""The command that adds items to a RUN without training."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sasrec_runtime.cli.options import json_option
from sasrec_runtime.cli.printing import print_json, print_lines, table_lines

if TYPE_CHECKING:
    from sasrec_train.new_items import Added

__all__ = ["add_items"]

SHOWN = ("hr@10", "ndcg@10")
MANIFEST = "manifest.json"  # Of a bundle, which is not what this command takes.


@click.command("add-items")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--log", metavar="FILE", help="Log with new items; it may repeat the RUN's log, or go on after it.")
@click.option(
    "--features",
    type=click.Path(path_type=Path),
    help="CSV, TSV or Parquet file with a row of features per item, of new and of trained ones.",
)
@click.option("--user-column", metavar="NAME", help="Column of user keys.  [default: by its name]")
@click.option("--item-column", metavar="NAME", help="Column of item keys.  [default: by its name]")
@click.option("--time-column", metavar="NAME", help="Column of times.  [default: by its name]")
@click.option("--rating-column", metavar="NAME", help="Column of ratings, where the RUN was trained with --min-rating.")
@click.option("--titles", type=click.Path(path_type=Path), help="File with item and title columns.")
@click.option(
    "--expected-count",
    type=click.IntRange(min=0),
    metavar="N",
    help="Interactions a new item is taken to have at least; the more, the more often it is recommended.  "
    "[default: the median of the trained items]",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write, a RUN.")
@click.option("--force", is_flag=True, help="Replace an existing RUN, once the new one is whole.")
@json_option
def add_items(
    run: Path, log: str | None, features: Path | None, out: Path, force: bool, as_json: bool, **given: Any
) -> None:
    """Add items to a RUN without training, and write a RUN.

    A new item's vector is estimated in closed form: from the users who took it, from its features, or from both. Ids,
    weights and held-out items of the old RUN stay. Prints how interactions with new items rank when each vector is made
    without them, and the test items before and after.

    Example: sasrec-edge add-items run --log new.csv --features items.csv --out run2
    """
    from sasrec_train import tensorflow_import
    from sasrec_train.cli import console
    from sasrec_train.errors import RunError
    from sasrec_train.run import Run

    if log is None and features is None:
        raise click.UsageError("Give --log, --features or both: they hold the new items.")
    if os.path.lexists(run / MANIFEST):
        raise RunError(
            f"{run} is a bundle, expected a RUN. Give the RUN it was exported from, then export the new one."
        )
    with console.notes():
        loaded = Run.load(run)
        tensorflow_import.import_tensorflow()
        from sasrec_train import new_items

        added = new_items.add_items(loaded, out, log=log, features=features, force=force, **given)
    if as_json:
        print_json(_plain(added))
    else:
        print_lines("\n".join(_lines(added)))


def _plain(added: "Added") -> dict[str, Any]:
    vectors = added.vectors
    return {
        "output_version": 1,
        "items": len(vectors.rows),
        "from_interactions": int((vectors.counts > 0).sum()),
        "from_features": int(vectors.from_features.sum()),
        "from_nothing": int(((vectors.counts == 0) & ~vectors.from_features).sum()),
        "interactions": int(vectors.counts.sum()),
        "continued_users": added.continued_users,
        "new_users": added.new_users,
        "features_explain": vectors.explained,
        "left_out": {"interactions": vectors.asked, **vectors.left_out},
        "test": {"before": added.before["full"], "after": added.run.metrics["full"]},
    }


def _lines(added: "Added") -> list[str]:
    plain = _plain(added)
    alone = plain["items"] - plain["from_interactions"] - plain["from_nothing"]
    of_interactions = f"{plain['from_interactions']:,} from {plain['interactions']:,} interactions"
    old = f"the other {added.run.interactions.n_items - plain['items']:,} are as they were"
    lines = [f"{plain['items']:,} new items: {of_interactions}, {alone:,} from features alone; {old}"]
    if plain["from_nothing"]:
        lines += [
            f"{plain['from_nothing']:,} of them have neither: their vectors are the mean, hardly ever recommended"
        ]
    if plain["features_explain"] is not None:
        lines += [f"features explain {plain['features_explain']:.1%} of the variance of trained vectors"]
    rows = [("whole catalogue, seen items excluded", "", *map(str.upper, SHOWN))]
    if plain["left_out"]["interactions"]:
        asked = f"{plain['left_out']['interactions']:,}"
        rows.append(("new items, each interaction left out", asked, *_cells(plain["left_out"])))
    for when in ("before", "after"):
        users = added.before["users"] if when == "before" else added.run.metrics["users"]
        rows.append((f"test items, {when}", f"{users:,}", *_cells(plain["test"][when])))
    return [*lines, "", *table_lines(rows)]


def _cells(metrics: dict[str, float]) -> list[str]:
    return [f"{metrics[name]:.4f}" for name in SHOWN]
