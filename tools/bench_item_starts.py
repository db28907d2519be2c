"""Compare ways to place items that a RUN does not know, before any training, as Markdown.

Of the items that a RUN was trained on, some lose their rows and are placed anew from who took them, each at most CAP
times.
Then the validation and test items are ranked: "new" are the targets among those items, "kept" the others. A good place
ranks new items as their trained rows do, and takes nothing from the kept ones. (The rest of the network has learned
with those items; only their rows are forgotten.)

Example: .venv/bin/python tools/bench_item_starts.py demo/run
"""

import argparse
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sasrec_train.evaluation import evaluate, metrics
from sasrec_train.log.interactions import Histories
from sasrec_train.run import Run
from sasrec_train.warm_start import new_items, takers
from sasrec_train.warm_start.matching import NEW, ItemMatch

LEAST = 5  # Training interactions of an item that is forgotten.
NEAR = 50  # Items before and after that count as taken too.

Table = NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="+", help="RUNs.")
    parser.add_argument("--share", type=float, default=0.06, help="Items that are forgotten, of those taken often.")
    parser.add_argument("--caps", nargs="+", type=int, default=[3, 10, 1000], help="Interactions left of each.")
    options = parser.parse_args()
    print("| RUN | interactions of an item, at most | placed by | NDCG@10 new | rank of new, median | kept | all |")
    print("|---|---|---|---|---|---|---|")
    for path in options.run:
        measure(Run.load(path), options)


def measure(run: Run, options: argparse.Namespace) -> None:
    network, split = run.model(), run.split()
    counts = np.bincount(split.train.item_ids, minlength=run.interactions.n_items + 1)
    rng = np.random.default_rng(0)
    often = np.flatnonzero(counts >= LEAST)
    forgotten = rng.choice(often, round(options.share * often.size), replace=False)
    old_ids = np.arange(counts.size)
    old_ids[forgotten] = NEW
    match = ItemMatch(old_ids, 0)
    trained = network.item_embedding.embeddings.numpy()
    start = match.rows(trained)
    start[forgotten] = rng.uniform(-1, 1, (forgotten.size, trained.shape[1])) * np.sqrt(6 / sum(trained.shape))
    encode = network.encoder()

    def show(cap: str, name: str, table: Table) -> None:
        network.item_embedding.embeddings.assign(table)
        ranks, is_new = [], []
        for part in (split.validation, split.test):
            scorer = evaluate.model_scorer(network, part.histories, encode=encode)
            ranks.append(evaluate.rank(scorer, part, n_items=run.interactions.n_items, num_negatives=0)[0])
            is_new.append(np.isin(part.targets, forgotten))
        rank, new = np.concatenate(ranks), np.concatenate(is_new)
        values = (metrics.ranking_metrics(part)["ndcg@10"] for part in (rank[new], rank[~new], rank))
        first, *rest = (f"{value:.4f}" for value in values)
        print(
            f"| {run.path.name} | {cap} | {name} | {first} | {np.median(rank[new]):.0f} | {' | '.join(rest)} |",
            flush=True,
        )
        network.item_embedding.embeddings.assign(trained)

    show("–", "training", trained)
    show("–", "the initialiser", start)
    for cap in options.caps:
        train = thinned(split.train, forgotten, cap, rng)
        for name, place in PLACES.items():
            table = start.copy()
            place(table, train, match, network)
            show(f"{cap:,}", name, table)


def thinned(train: Histories, items: NDArray[np.int64], cap: int, rng: np.random.Generator) -> Histories:
    """The histories with each of the items in at most so many places, drawn at random."""
    places = rng.permutation(np.flatnonzero(np.isin(train.item_ids, items)))
    places = places[np.argsort(train.item_ids[places], kind="stable")]
    ordered = train.item_ids[places]
    nth = np.arange(ordered.size) - np.searchsorted(ordered, ordered)
    kept = np.ones(train.item_ids.size, bool)
    kept[places[nth >= cap]] = False
    return Histories.from_lengths(np.bincount(train.rows()[kept], minlength=len(train)), train.item_ids[kept])


def by_takers(table: Table, train: Histories, match: ItemMatch, network: object) -> None:
    """At the mean direction of the user vectors before the item was taken."""
    directions = takers.mean_directions(match.new_ids, train, match.old_ids, network, most=new_items.MOST_TAKERS)
    put(table, train, match, directions)


def by_items(table: Table, train: Histories, match: ItemMatch, _network: object) -> None:
    """At the mean direction of the items that its users took near it."""
    vectors, rows = takers.unit(table), train.rows()
    directions = np.zeros((match.new_ids.size, table.shape[1]), np.float32)
    number = {int(item): n for n, item in enumerate(match.new_ids)}
    for place in np.flatnonzero(~match.is_kept[train.item_ids]):
        first = max(train.offsets[rows[place]], place - NEAR)
        last = min(train.offsets[rows[place] + 1], place + NEAR + 1)
        near = train.item_ids[first:last]
        if (near := near[match.is_kept[near]]).size:
            directions[number[int(train.item_ids[place])]] += vectors[near].mean(axis=0)
    put(table, train, match, directions)


def put(table: Table, train: Histories, match: ItemMatch, directions: Table) -> None:
    """At the length of trained items of the same popularity."""
    lengths = new_items._Popularity(train, match).mean(np.linalg.norm(table, axis=1), match.new_ids)
    known = directions.any(axis=1)
    table[match.new_ids[known]] = takers.unit(directions[known]) * lengths[known, None]


PLACES: dict[str, Callable[..., object]] = {
    "the mean of its takers' user vectors": by_takers,
    "the mean of the items its takers took": by_items,
    "three parts, as here": new_items.place,
}


if __name__ == "__main__":
    main()
