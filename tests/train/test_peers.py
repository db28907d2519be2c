"""The benchmark's own split and ranking, which run without sasrec_train, are the project's."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from sasrec_train import datasets
from sasrec_train.evaluation import evaluate, metrics
from sasrec_train.split import leave_one_out

SCRIPT = Path(__file__).parents[2] / "tools" / "peers" / "held_out.py"
LOG = "1 5\n1 6\n2 5\n1 7\n2 6\n3 5\n3 7\n3 5\n3 7\n4 8\n1 9\n2 9\n2 10\n1 11\n"  # 3's items repeat, 4 has one
LOG += "".join(f"{user} {user + 10}\n" for user in range(5, 17))  # more items, so that the last rank is not a hit
N_ITEMS = 19


@pytest.fixture(scope="module")
def held_out():
    spec = importlib.util.spec_from_file_location("held_out", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log.txt"
    path.write_text(LOG)
    return path


def test_the_benchmark_trains_on_the_projects_training_part(held_out, log):
    users, items, places = held_out.read(log).train()
    train = leave_one_out(datasets.load(str(log))).train
    np.testing.assert_array_equal(items, train.item_ids)
    np.testing.assert_array_equal(users, train.rows())
    assert list(places[:3]) == [0, 1, 2]


def test_the_benchmark_holds_out_the_projects_validation_items(held_out, log):
    validation = held_out.Validation(held_out.read(log))
    expected = leave_one_out(datasets.load(str(log))).validation
    np.testing.assert_array_equal(validation.targets, expected.targets)
    np.testing.assert_array_equal(np.concatenate(validation.histories), expected.histories.item_ids)


def test_the_benchmark_ranks_as_the_project_does(held_out, log):
    log = str(log)
    rng = np.random.default_rng(0)
    table = rng.integers(-1, 2, (N_ITEMS + 1, 3)).astype(np.float32)  # small integers: many ties
    interactions = datasets.load(log)
    expected = leave_one_out(interactions).validation
    vectors = rng.integers(-1, 2, (len(expected.histories), 3)).astype(np.float32)
    ranks, _ = evaluate.rank(lambda rows: vectors[rows] @ table.T, expected, n_items=N_ITEMS, num_negatives=0)
    wanted = metrics.ranking_metrics(ranks)
    found = held_out.Validation(held_out.read(log)).metrics(vectors, table, np.arange(N_ITEMS + 1))
    assert interactions.n_items == N_ITEMS
    assert found == pytest.approx({name: wanted[name] for name in found})


def test_items_a_library_does_not_know_are_left_out_of_its_inputs_and_never_hit(held_out, log):
    validation = held_out.Validation(held_out.read(log))
    own_ids = np.zeros(N_ITEMS + 1, np.int64)
    own_ids[1] = 1  # of all items it knows the first
    inputs, lengths = validation.inputs(2, own_ids, left=True)
    assert inputs[0].tolist() == [0, 1]
    assert lengths[0] == 1
    vectors = np.ones((len(inputs), 1), np.float32)
    assert validation.metrics(vectors, np.ones((2, 1), np.float32), own_ids)["hr@10"] == 0
