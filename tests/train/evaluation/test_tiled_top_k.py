"""Lists of the best items, in tiles large enough for the first guess to matter."""

import numpy as np
import pytest

from sasrec_train.evaluation.tiled_top_k import LANES, TopLists


def sorted_lists(scores: np.ndarray, k: int) -> list[list[int]]:
    ids = np.arange(1, scores.shape[1] + 1)
    return [ids[np.lexsort((ids, -row))][:k].tolist() for row in scores]


COLUMN = np.arange(4 * LANES)
ASCENDING = np.arange(4 * LANES + 3, dtype=np.float32)
TABLES = {
    "random": np.random.default_rng(0).standard_normal((3, 4 * LANES + 3)).astype(np.float32),
    "few values": np.random.default_rng(0).integers(0, 4, (3, 4 * LANES + 3)).astype(np.float32),
    "all alike": np.zeros((2, 4 * LANES), np.float32),
    "ascending": ASCENDING[None],
    "descending": -ASCENDING[None],
    "best in one lane": np.where(COLUMN % LANES == 7, 2 + COLUMN, 0)[None].astype(np.float32),
}  # fmt: skip


@pytest.mark.parametrize("order", [1, -1], ids=["tiles as they come", "last tile first"])
@pytest.mark.parametrize("name", TABLES)
def test_lists_are_those_of_a_full_sort(name, order):
    scores, k = TABLES[name], 10
    lists = TopLists(len(scores), k)
    for part in np.array_split(np.arange(scores.shape[1]), 2)[::order]:
        lists.add(scores[:, part], int(part[0]) + 1)
    assert lists.items.tolist() == sorted_lists(scores, k)


def test_nan_and_minus_infinity_are_never_listed():
    scores = np.full((2, 4 * LANES), np.nan, np.float32)
    scores[0, ::2] = -np.inf
    scores[1, [5, 700]] = 1, np.inf
    lists = TopLists(2, 3)
    lists.add(scores, 1)
    assert lists.items.tolist() == [[0, 0, 0], [701, 6, 0]]
