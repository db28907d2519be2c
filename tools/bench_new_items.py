"""How many interactions a new item needs: items are hidden from training, then n interactions of each are revealed.

Some items are taken out of the log, and a network is trained on the rest. The last interactions of each hidden item are
held out. Of the others the first n are revealed to `add-items`, to a full training (with --retrain), and to baselines.
Each held-out interaction asks for its item among the whole catalogue, given the items before it that were trained. The
same tables also answer for the test items of old ones, which shows what the new ones cost.

Example: python tools/bench_new_items.py ml-100k.inter --features ml-100k.item --retrain 4 16 all
"""

import argparse
import dataclasses
import datetime as dt
import os
import platform
import tempfile
import time
from importlib import metadata as versions
from pathlib import Path

import numpy as np

from sasrec_train import config, datasets, run, tensorflow_import
from sasrec_train.evaluation import metrics, ranking, scorers
from sasrec_train.log.interactions import Histories, Interactions
from sasrec_train.new_items import feature_table, joined_log
from sasrec_train.new_items.user_states import Places, Prefixes
from sasrec_train.split import HeldOut, SplitPoints

ALL = 10**9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="A log.")
    parser.add_argument("--features", type=Path, help="A file of item features.")
    parser.add_argument("--counts", nargs="+", default=["0", "1", "2", "4", "8", "16", "32", "all"])
    parser.add_argument("--retrain", nargs="*", default=[], help="Counts of which a full training is measured too.")
    parser.add_argument("--similarity", choices=["dot", "cosine"], default="cosine")
    parser.add_argument("--epochs", type=int, help="Epochs of each training, where the preset's are too many.")
    parser.add_argument("--expected-count", type=int, help="As of add-items.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--run", type=Path, help="Folder to keep the trained RUN in, or to take it from.")
    options = parser.parse_args()
    tensorflow_import.import_tensorflow()
    with tempfile.TemporaryDirectory() as scratch:
        Bench(options, Path(scratch)).table()
    named = ", ".join(f"{name} {versions.version(name)}" for name in ("tensorflow", "keras", "numpy"))
    print(f"\n{os.cpu_count()} cores, Python {platform.python_version()}, {named}, {dt.datetime.now(tz=dt.UTC).date()}")


class Bench:
    """The hidden items, the network trained without them, and the held-out interactions."""

    def __init__(self, options: argparse.Namespace, scratch: Path):
        from sasrec_train.new_items.vectors import Estimator

        self.options = options
        log = datasets.load(options.data)
        counts = np.bincount(log.histories.item_ids, minlength=log.n_items + 1)
        rng = np.random.default_rng(options.seed)
        hidden = np.sort(rng.choice(np.flatnonzero(counts >= 20), round(0.05 * log.n_items), replace=False))
        self.base = without(log, hidden)
        self.run = self._trained(scratch)
        features = options.features and feature_table.read(options.features)
        # The whole log in the ids of a RUN to which the hidden items were added.
        everything = joined_log.join(self.base, self.run.split_points(), log, more_items=[])
        self.joined, self.features = everything, features
        self.n_known, self.n_items = everything.n_known, everything.interactions.n_items
        self.prefixes = Prefixes(everything.interactions.histories, self.n_known)
        self.revealed, held_out = self._order(log, rng)
        self.model = self.run.model()
        self.estimator = Estimator(
            self.model, self.run.split().train, self.n_known, seed=options.seed, expected_count=options.expected_count
        )
        test = everything.points.test
        asked = np.flatnonzero(test >= 0)
        old = self._places(everything.interactions.histories.offsets[:-1][asked] + test[asked])
        self.asked = {"new": self._places(held_out), "old": old}
        self.users = {name: self._users(self.model, places) for name, places in self.asked.items()}
        print(
            f"{hidden.size} of {log.n_items} items hidden, {int(counts[hidden].sum()):,} interactions (median "
            f"{np.median(counts[hidden]):.0f} of an item), {held_out.size:,} of them held out; "
            f"{len(old):,} test items of old ones\n"
        )

    def _trained(self, scratch: Path) -> run.Run:
        folder = self.options.run or scratch / "run"
        if folder.exists():
            return run.Run.load(folder)
        return run.create(self.base, *self._configs(self.base), folder, preset="modern")

    def _configs(self, log: Interactions) -> tuple[config.ModelConfig, config.TrainConfig]:
        train = {"epochs": self.options.epochs} if self.options.epochs else {}
        model = {"similarity": self.options.similarity}
        return config.preset("modern", n_items=log.n_items, model=model, train=train)

    def _order(self, log: Interactions, rng: np.random.Generator) -> tuple[list[np.ndarray], np.ndarray]:
        """The interactions of each hidden item that may be revealed, first ones first, and those held out, of all.

        In the order of time, or at random where the log has no times.
        """
        item_ids = self.joined.interactions.histories.item_ids
        times = log.times if log.times is not None else rng.permutation(item_ids.size)
        usable = np.zeros(item_ids.size, bool)
        usable[self.prefixes.places.positions] = True
        revealed, held_out = [], []
        for item in range(self.n_known + 1, self.n_items + 1):
            places = np.flatnonzero((item_ids == item) & usable)
            places = places[np.argsort(times[places], kind="stable")]
            kept = round(0.7 * places.size)
            revealed.append(places[:kept])
            held_out.append(places[kept:])
        return revealed, np.sort(np.concatenate(held_out))

    def _places(self, positions: np.ndarray) -> Places:
        every = self.prefixes.places
        return every.take(np.isin(every.positions, positions))

    def _users(self, model: object, places: Places) -> np.ndarray:
        return self.prefixes.states(model, places, encode=model.encoder())

    def _log(self, count: int) -> joined_log.Joined:
        """The joined log with the first `count` interactions of each hidden item."""
        histories = self.joined.interactions.histories
        keep = histories.item_ids <= self.n_known
        for places in self.revealed:
            keep[places[:count]] = True
        rows = histories.rows()
        lengths = np.bincount(rows[keep], minlength=len(histories))
        kept = np.concatenate([[0], np.cumsum(keep)])
        starts = histories.offsets[:-1]

        def moved(points: np.ndarray) -> np.ndarray:
            return np.where(points < 0, points, kept[starts + np.maximum(points, 0)] - kept[starts])

        shorter = Histories.from_lengths(lengths, histories.item_ids[keep])
        points = SplitPoints(
            *(moved(getattr(self.joined.points, name)) for name in ("train_ends", "validation", "test"))
        )
        interactions = dataclasses.replace(self.joined.interactions, histories=shorter)
        return dataclasses.replace(self.joined, interactions=interactions, points=points)

    def table(self) -> None:
        """Print a row for each way and count."""
        print("| interactions of each | way | new items HR@10 | NDCG@10 | old items HR@10 | NDCG@10 | s |")
        print("|---|---|---|---|---|---|---|")
        table = np.array(self.model.item_table, np.float32)
        table[0] = 0
        self._row("–", "without new items", table, 0)
        noise = np.random.default_rng(1).normal(size=(self.n_items - self.n_known, table.shape[1]))
        noise *= np.linalg.norm(table[1:], axis=1).mean() / np.linalg.norm(noise, axis=1, keepdims=True)
        self._row("–", "random rows", with_rows(table, noise), 0)
        for name in self.options.counts:
            log = self._log(ALL if name == "all" else int(name))
            train = self.run.split().train.item_ids
            new = log.interactions.histories.item_ids
            counts = np.bincount(np.concatenate([train, new[new > self.n_known]]), minlength=self.n_items + 1)
            if name == "all":
                popular = np.append(counts[:, None].astype(np.float32), np.zeros((len(counts), table.shape[1] - 1)), 1)
                self._row(name, "popularity", popular.astype(np.float32), 0, popular=True)
            for way, features in (("from interactions", None), ("from features too", self.features)):
                if way == "from interactions" or features is not None:
                    started = time.perf_counter()
                    rows = self.estimator.vectors(log, features).rows
                    self._row(name, way, with_rows(table, rows), time.perf_counter() - started)
            if name in self.options.retrain:
                self._retrained(name, log)

    def _retrained(self, name: str, log: joined_log.Joined) -> None:
        """Train anew on what was revealed; new rows behind a user's held-out items are trained on too."""
        from sasrec_train.training import loop

        started = time.perf_counter()
        histories, points = log.interactions.histories, log.points
        lists, ends = [], []
        for row, history in enumerate(histories):
            held = [place for place in (points.validation[row], points.test[row]) if place >= 0]
            rest = np.delete(history, held)
            lists.append(np.concatenate([rest, history[held]]))
            ends.append(rest.size)
        moved = SplitPoints(
            np.array(ends),
            np.where(points.validation >= 0, np.array(ends), -1),
            np.where(points.test >= 0, np.array(ends) + (points.validation >= 0), -1),
        )
        interactions = dataclasses.replace(log.interactions, histories=Histories.from_lists(lists))
        parts = moved.apply(interactions.histories)
        model = loop.train(interactions, *self._configs(interactions), split=parts).model
        seconds = time.perf_counter() - started
        table = np.array(model.item_table, np.float32)
        table[0] = 0
        kept, self.users = self.users, {way: self._users(model, places) for way, places in self.asked.items()}
        self._row(name, "trained anew", table, seconds)
        self.users = kept

    def _row(self, count: str, way: str, table: np.ndarray, seconds: float, *, popular: bool = False) -> None:
        cells = []
        for name, places in self.asked.items():
            users = self.users[name]
            if popular:
                users = np.eye(1, table.shape[1], dtype=np.float32).repeat(len(users), 0)
            if name == "new" and len(table) <= self.n_known + 1:
                cells += ["–", "–"]
                continue
            seen = self.prefixes.known_before(places)
            held_out = HeldOut(places.users, seen, places.item_ids)
            scorer = scorers.vector_scorer(users, table)
            ranks = ranking.rank(scorer, held_out, n_items=len(table) - 1, num_negatives=0).full
            found = metrics.ranking_metrics(ranks)
            cells += [f"{found['hr@10']:.4f}", f"{found['ndcg@10']:.4f}"]
        took = f"{seconds:.0f}" if seconds else "–"
        print(f"| {count} | {way} | {' | '.join(cells)} | {took} |", flush=True)


def without(log: Interactions, hidden: np.ndarray) -> Interactions:
    """The log without some items; other items keep their order."""
    keep = ~np.isin(log.histories.item_ids, hidden)
    lengths = np.bincount(log.histories.rows()[keep], minlength=len(log.histories))
    left = np.setdiff1d(np.arange(1, log.n_items + 1), hidden)
    numbers = np.zeros(log.n_items + 1, np.int32)
    numbers[left] = np.arange(1, left.size + 1)
    return dataclasses.replace(
        log,
        user_keys=[key for key, length in zip(log.user_keys, lengths, strict=True) if length],
        item_keys=[log.item_keys[item - 1] for item in left],
        titles=None if log.titles is None else [log.titles[item - 1] for item in left],
        histories=Histories.from_lengths(lengths[lengths > 0], numbers[log.histories.item_ids[keep]]),
        times=None if log.times is None else log.times[keep],
    )


def with_rows(table: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The item table with more rows."""
    return np.concatenate([table, rows.astype(np.float32)])


if __name__ == "__main__":
    main()
