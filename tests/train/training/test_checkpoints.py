"""What a kill, a full disk and another log leave of a training that was under way."""

import errno
import json
from pathlib import Path

import numpy as np
import pytest

from sasrec_train.errors import ConfigError, RunError
from sasrec_train.training.checkpoints import Checkpoints, folder_of
from sasrec_train.training.state import Epoch, Progress

ARRAYS = {"network/0": np.arange(6, dtype=np.float32).reshape(2, 3), "count/0": np.array(7, np.int32)}
IDENTITY = {"n_items": 9, "learning_rate": 0.1}


def epoch(number: int, ndcg: float) -> Epoch:
    metrics = {"ndcg@10": ndcg, "hr@10": 2 * ndcg}
    return Epoch(epoch=number, total=9, loss=1.0, validation=metrics, seconds=2.0, validation_seconds=0.5)


def progress(*ndcgs: float) -> Progress:
    made = Progress()
    for number, ndcg in enumerate(ndcgs, 1):
        made.add(epoch(number, ndcg))
    return made


@pytest.fixture
def checkpoints(tmp_path) -> Checkpoints:
    return Checkpoints(tmp_path / "run.training", IDENTITY)


def test_progress_keeps_the_first_of_the_best_epochs():
    made = progress(0.1, 0.3, 0.2, 0.3)
    assert (made.best_epoch, made.best_ndcg) == (2, 0.3)


def test_what_was_saved_is_loaded(checkpoints):
    saved = progress(0.1, 0.2)
    saved.batch, saved.seconds = 5, 1.5
    checkpoints.save(ARRAYS, saved, best={"0": np.ones(3)})
    arrays, loaded = checkpoints.load()
    assert loaded == saved
    assert {name: array.tolist() for name, array in arrays.items()} == {
        name: array.tolist() for name, array in ARRAYS.items()
    }
    assert checkpoints.load_best(loaded)["0"].tolist() == [1, 1, 1]


def test_only_the_last_and_the_best_are_kept(checkpoints):
    for last in (progress(0.1), progress(0.1, 0.2), progress(0.1, 0.2, 0.1)):
        checkpoints.save(ARRAYS, last, best={"0": np.ones(1)} if last.best_epoch == len(last.epochs) else None)
    assert sorted(path.name for path in checkpoints.folder.iterdir()) == ["best-2.npz", "last.npz"]


def test_a_full_disk_leaves_the_last_good_checkpoint(checkpoints, monkeypatch):
    checkpoints.save(ARRAYS, progress(0.1), best={"0": np.ones(1)})

    def full(file, **arrays):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(RunError, match=r"after epoch 2 could not be saved \(No space left.*go on with --resume"):
        checkpoints.save(ARRAYS, progress(0.1, 0.2), best={"0": np.zeros(1)})
    monkeypatch.undo()
    assert checkpoints.load()[1] == progress(0.1)
    assert sorted(path.name for path in checkpoints.folder.iterdir()) == ["best-1.npz", "last.npz"]


@pytest.mark.parametrize(
    ("other", "match"),
    [
        ({"n_items": 8}, r"is of a run with n_items 9, not 8\. Give the same log and options"),
        ({"learning_rate": 0.2}, "is of a run with learning_rate 0.1, not 0.2"),
    ],
    ids=["another catalogue", "another recipe"],
)
def test_a_checkpoint_of_another_run_is_refused(checkpoints, other, match):
    checkpoints.save(ARRAYS, progress(0.1), best={"0": np.ones(1)})
    with pytest.raises(ConfigError, match=match):
        Checkpoints(checkpoints.folder, {**IDENTITY, **other}).load()


@pytest.mark.parametrize("damage", [b"", b"no archive", "truncated"], ids=["empty", "text", "truncated"])
def test_a_damaged_checkpoint_is_named(checkpoints, damage):
    checkpoints.save(ARRAYS, progress(0.1), best={"0": np.ones(1)})
    path = checkpoints.folder / "last.npz"
    path.write_bytes(path.read_bytes()[:200] if damage == "truncated" else damage)
    with pytest.raises(RunError, match=r"last\.npz is damaged .*Start over with --force"):
        checkpoints.load()


def test_a_checkpoint_of_a_newer_version_is_refused(checkpoints):
    checkpoints.save(ARRAYS, progress(0.1), best={"0": np.ones(1)})
    path = checkpoints.folder / "last.npz"
    memo = {"format_version": 2, "identity": IDENTITY, "progress": {}}
    np.savez(path, memo=np.array(json.dumps(memo)))
    with pytest.raises(RunError, match="format_version is 2, this sasrec-edge reads up to 1"):
        checkpoints.load()


def test_checkpoints_lie_beside_the_run(tmp_path):
    assert folder_of(tmp_path / "run") == tmp_path.resolve() / "run.training"
    assert folder_of(Path("run")).is_absolute()
