"""From a RUN to one with more items: what stays, what is new, and what is refused."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from sasrec_runtime.errors import OutputError
from sasrec_train import datasets, new_items, run
from sasrec_train.config import preset
from sasrec_train.errors import DataError, RunError
from sasrec_train.evaluation import evaluate
from sasrec_train.new_items import record
from sasrec_train.run import Run

pytestmark = pytest.mark.tf

SMALL = {"max_len": 8, "hidden_dim": 16, "ffn_dim": 16, "num_blocks": 1, "num_heads": 2}


@pytest.fixture(scope="module")
def log():
    return datasets.load("synthetic:items=60,users=300,mean_length=10")


@pytest.fixture(scope="module", params=["cosine", "dot"])
def made(log, tmp_path_factory, request) -> Run:
    model = {**SMALL, "similarity": request.param}
    configs = preset("modern", n_items=log.n_items, model=model, train={"epochs": 1, "batch_size": 256})
    return run.create(log, *configs, tmp_path_factory.mktemp("made") / "run")


@pytest.fixture(scope="module")
def new_log(log, tmp_path_factory) -> Path:
    """Rows of two known users and an unknown one, with items `new1` and `new2`, which comes first in its history."""
    path = tmp_path_factory.mktemp("new") / "new.csv"
    first, second = log.user_keys[:2]
    rows = [(first, "new1"), (second, log.item_keys[0]), (second, "new1"), ("stranger", "new2"), ("stranger", "new1")]
    path.write_text("user,item,time\n" + "".join(f"{user},{item},{n}\n" for n, (user, item) in enumerate(rows)))
    return path


@pytest.fixture(scope="module")
def features(log, tmp_path_factory) -> Path:
    """Features of the known items, of both in the log, and of one that nobody took."""
    path = tmp_path_factory.mktemp("features") / "items.csv"
    keys = [*log.item_keys, "new1", "new2", "new3"]
    path.write_text("item,title,size\n" + "".join(f"{key},Thing {n % 7},{n % 5}\n" for n, key in enumerate(keys)))
    return path


@pytest.fixture(scope="module")
def added(made, new_log, features, tmp_path_factory) -> new_items.Added:
    out = tmp_path_factory.mktemp("added") / "run2"
    return new_items.add_items(made, out, log=new_log, features=features)


def weights(of: Run) -> dict[str, np.ndarray]:
    return {weight.path.partition("/")[2]: np.asarray(weight) for weight in of.model().weights}


def test_all_that_was_trained_stays_as_it_was_bit_for_bit(made, added) -> None:
    old, new = weights(made), weights(added.run)
    table = next(name for name in old if "item_embedding" in name)
    assert new[table].shape[0] == old[table].shape[0] + 3
    new[table] = new[table][: len(old[table])]
    assert {name: values.tobytes() for name, values in old.items()} == {
        name: values.tobytes() for name, values in new.items()
    }


def test_the_new_run_differs_from_the_old_one_in_what_it_must(made, added, log) -> None:
    run2 = Run.load(added.run.path)
    assert run2.interactions.item_keys == [*log.item_keys, "new1", "new2", "new3"]
    assert run2.interactions.titles[-3:] == ["Thing 4", "Thing 5", "Thing 6"]
    assert run2.interactions.user_keys == [*log.user_keys, "stranger"]
    assert (run2.model_config.max_len, run2.model_config.n_items) == (8, log.n_items + 3)
    assert (run2.config.added_items, run2.train_config) == (3, made.train_config)
    assert run2.interactions.histories[300].tolist() == [log.n_items + 2, log.n_items + 1]


def test_the_same_users_are_asked_for_the_same_items(made, added) -> None:
    np.testing.assert_array_equal(made.split().test.targets, added.run.split().test.targets)
    np.testing.assert_array_equal(made.split().test.histories.item_ids, added.run.split().test.histories.item_ids)


def test_the_metrics_are_those_of_the_new_network(added) -> None:
    assert evaluate.on_test(added.run.model(), added.run.split()) == added.run.metrics
    assert added.before["users"] == added.run.metrics["users"]


def test_the_run_says_what_each_vector_was_made_of(made, added, new_log, features) -> None:
    known = record.read(added.run)
    assert (known.trained_items, known.interactions) == (made.interactions.n_items, [2, 0, 0])
    assert known.from_features == [True, True, True]
    assert known.sources == [{"log": "new.csv", "features": "items.csv", "items": 3}]


def test_a_trained_run_has_an_empty_record(made) -> None:
    assert record.read(made).interactions == []


def test_vectors_of_cosines_have_length_1(added) -> None:
    lengths = np.linalg.norm(added.vectors.rows, axis=1)
    if added.run.model_config.similarity == "cosine":
        np.testing.assert_allclose(lengths, 1, rtol=1e-6)
    assert (lengths > 0).all()


def test_equal_inputs_give_an_equal_run(made, added, new_log, features, tmp_path) -> None:
    again = new_items.add_items(made.path, tmp_path / "again", log=new_log, features=features)
    np.testing.assert_array_equal(again.vectors.rows, added.vectors.rows)


def test_items_can_be_added_to_a_run_that_has_added_ones(added, log, tmp_path) -> None:
    path = tmp_path / "later.csv"
    path.write_text(f"user,item\n{log.user_keys[0]},new4\n")
    later = new_items.add_items(added.run, tmp_path / "run3", log=path)
    known = record.read(later.run)
    assert (known.trained_items, known.interactions) == (log.n_items, [2, 0, 0, 1])
    assert [source["log"] for source in known.sources] == ["new.csv", "later.csv"]


def test_a_resumed_training_does_not_take_it_for_the_finished_one(added) -> None:
    found = run.finished(
        added.run.path,
        replace(added.run.interactions, name="other"),
        added.run.model_config,
        added.run.train_config,
        split_config=added.run.config.split,
    )
    assert found is None


def refused(made, tmp_path, error, match, **inputs) -> None:
    out = inputs.pop("out", tmp_path / "out")
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(error, match=match):
        new_items.add_items(made, out, **inputs)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_log_without_a_new_item_is_refused(made, log, tmp_path) -> None:
    path = written(tmp_path / "new.csv", f"user,item\n{log.user_keys[0]},{log.item_keys[0]}\n")
    refused(made, tmp_path, DataError, r"new\.csv: the RUN has every item of it, expected a new one", log=path)


def test_a_log_of_strangers_without_a_history_is_refused(made, tmp_path) -> None:
    path = written(tmp_path / "new.csv", "user,item\nstranger,new1\nother,new2\n")
    match = r"nobody who took one of its 2 new items has taken an item before that the RUN knows \(0 of its 2 users"
    refused(made, tmp_path, DataError, match, log=path)


def test_features_that_lack_most_items_are_refused_with_how_many(made, tmp_path) -> None:
    path = written(tmp_path / "f.csv", "item,size\nnew1,3\nnew2,4\n")
    refused(made, tmp_path, DataError, "lacks 60 of the 60 items of the RUN, expected at least half", features=path)


def test_the_run_itself_is_not_replaced(made, new_log, tmp_path) -> None:
    refused(made, tmp_path, OutputError, "is read", log=new_log, out=made.path, force=True)


def test_a_run_of_a_newer_version_is_refused(made, new_log, tmp_path) -> None:
    copy = Path(shutil.copytree(made.path, tmp_path / "copy"))
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "format_version": 99}))
    refused(copy, tmp_path, RunError, "format_version is 99, this sasrec-edge reads up to", log=new_log)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("{", "is corrupted"),
        ('{"format_version": 99}', "format_version is 99, this sasrec-edge reads up to 1"),
        (
            '{"trained_items": 60, "interactions": [1], "from_features": [], "sources": []}',
            "lists of different lengths",
        ),
    ],
    ids=["no JSON", "newer", "lengths"],
)
def test_a_corrupted_record_is_named(added, tmp_path, text, match) -> None:
    copy = Path(shutil.copytree(added.run.path, tmp_path / "copy"))
    (copy / "new_items.json").write_text(text)
    with pytest.raises(RunError, match=match):
        record.read(Run.load(copy))


def test_neither_log_nor_features_is_refused(made, tmp_path) -> None:
    refused(made, tmp_path, DataError, "There is neither a log nor features")
