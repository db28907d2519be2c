"""Judge a trained network on held-out items of your own, with the metrics of the library.

    python examples/custom_split.py before.csv after.csv

The library holds out each user's newest item, or everything after two points in time. Here the network is trained on
one log, and asked for what the same users took in another: the clicks of a month, and the purchases of the week after.
Whatever rule you have, make a HeldOut of it: rows of users, the history of each, and the item that is to be found.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from sasrec_train import config, datasets, run
from sasrec_train.evaluation import evaluate
from sasrec_train.log.interactions import Interactions
from sasrec_train.split import HeldOut


def held_out(before: Interactions, after: Interactions) -> HeldOut:
    """Return, for each user of both logs, the first later item that is in the catalogue, and the whole history before.

    Users and items that the network never saw cannot be asked for, and are left out.
    """
    item_ids = {key: item_id for item_id, key in enumerate(before.item_keys, 1)}
    row_of_user = {key: row for row, key in enumerate(before.user_keys)}
    rows, targets = [], []
    for key, later in zip(after.user_keys, after.histories, strict=True):
        known = [item_ids[item] for item in (after.item_keys[i - 1] for i in later) if item in item_ids]
        if key in row_of_user and known:
            rows.append(row_of_user[key])
            targets.append(known[0])
    users = np.array(rows, np.int64)
    return HeldOut(users, before.histories.take(users), np.array(targets, np.int32))


def judge(model: Any, log: Interactions, asked: HeldOut) -> dict[str, dict[str, dict[str, float]]]:
    """Return the metrics of the network and of popularity: name → protocol → metric → value."""
    scorers = {
        "model": evaluate.model_scorer(model, asked.histories),
        "popularity": evaluate.popularity_scorer(log.histories, log.n_items),
    }
    # keep_seen=True where people take an item again: otherwise an item of the history counts as a miss.
    return {name: evaluate.evaluate(scorer, asked, n_items=log.n_items) for name, scorer in scorers.items()}


def main() -> None:
    """Train on the first log and judge on the second."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("before", help="log to train on")
    options.add_argument("after", help="log of later interactions of the same users")
    options.add_argument("--epochs", type=int, help="passes over the log; by default the preset's")
    given = options.parse_args()

    log, later = datasets.load(given.before), datasets.load(given.after)
    asked = held_out(log, later)
    if not asked.targets.size:
        raise SystemExit(f"No user of {given.before} takes one of its items in {given.after}: nothing to judge.")
    fields = {"epochs": given.epochs} if given.epochs else {}
    network, training = config.preset("modern", n_items=log.n_items, train=fields)
    with tempfile.TemporaryDirectory() as scratch:
        trained = run.create(log, network, training, Path(scratch) / "run")
        # The epoch was chosen on each user's last items of the first log; nothing of the second was seen.
        metrics = judge(trained.model(), log, asked)

    print(f"{asked.targets.size} users are asked for a later item, {log.n_items} items in the catalogue")
    print("            HR@10   NDCG@10  (whole catalogue, seen items excluded)")
    for name, values in metrics.items():
        print(f"{name:<10}  {values['full']['hr@10']:.4f}  {values['full']['ndcg@10']:.4f}")


if __name__ == "__main__":
    main()
