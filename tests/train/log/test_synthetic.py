"""The made-up log is reproducible, has the asked size, and can be learned from."""

from collections import Counter

import numpy as np

from sasrec_train import datasets
from sasrec_train.evaluation import evaluate
from sasrec_train.split import leave_one_out

DATA = "synthetic:items=200,users=1500,mean_length=12"


def test_the_same_seed_gives_the_same_log():
    digests = [datasets.load(f"{DATA},seed={seed}").sha256 for seed in (3, 3, 4)]
    assert digests[0] == digests[1] != digests[2]


def test_it_has_the_asked_size_and_no_repeats():
    log = datasets.load("synthetic:items=5000,users=1000,mean_length=30")
    assert len(log.user_keys) == len(log.histories) == 1000
    assert 3000 < log.n_items <= 5000
    assert 24 < log.histories.lengths.mean() < 30
    assert all(np.unique(history).size == history.size for history in log.histories)
    assert set(log.histories.item_ids.tolist()) == set(range(1, log.n_items + 1))


def test_items_follow_a_zipf_like_popularity():
    counts = np.sort(np.bincount(datasets.load("synthetic:items=1000,users=5000").histories.item_ids))[::-1]
    assert counts[:100].sum() > 0.3 * counts.sum()


def test_the_item_before_predicts_better_than_popularity():
    log = datasets.load(DATA)
    split = leave_one_out(log)
    follows = np.zeros((log.n_items + 1, log.n_items + 1), np.float32)
    for history in split.train:
        np.add.at(follows, (history[:-1], history[1:]), 1)
    newest = split.test.histories.item_ids[split.test.histories.offsets[1:] - 1]
    chain, popular = (
        evaluate.evaluate(scorer, split.test, n_items=log.n_items)["full"]["hr@10"]
        for scorer in (lambda rows: follows[newest[rows]], evaluate.popularity_scorer(split.train, log.n_items))
    )
    assert chain > popular + 0.2


def test_its_name_says_everything_that_made_it():
    assert datasets.load("synthetic").name == "synthetic:items=1000,users=2000,seed=0,mean_length=20"
    assert Counter(datasets.load("synthetic").item_keys).most_common(1)[0][1] == 1
