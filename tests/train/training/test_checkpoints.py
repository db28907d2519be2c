"""What a kill, a full disk and another log leave of a training that was under way."""

import contextlib
import errno
import io
import json
import os
import random
import zipfile
from pathlib import Path

import msgspec
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
    arrays, loaded = checkpoints.load(ARRAYS)
    assert loaded == saved
    assert {name: array.tolist() for name, array in arrays.items()} == {
        name: array.tolist() for name, array in ARRAYS.items()
    }
    assert checkpoints.load_best(loaded, {"0": np.ones(3)})["0"].tolist() == [1, 1, 1]


def test_the_learning_curve_lies_beside_them_until_they_are_removed(checkpoints, tmp_path):
    with checkpoints.held(tmp_path / "run"):
        checkpoints.save(ARRAYS, progress(0.1))
        checkpoints.draw(progress(0.1))
        assert (checkpoints.folder / "learning_curve.svg").read_text("utf-8").startswith("<?xml")
        checkpoints.remove()
    assert not checkpoints.folder.exists()


def test_a_learning_curve_is_not_drawn_again_at_once(checkpoints):
    checkpoints.save(ARRAYS, progress(0.1))
    checkpoints.draw(progress(0.1))
    (checkpoints.folder / "learning_curve.svg").unlink()
    checkpoints.draw(progress(0.1, 0.2))
    assert not (checkpoints.folder / "learning_curve.svg").exists()


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
    with pytest.raises(RunError, match=r"after epoch 2 could not be saved \(No space left.*continue with --resume"):
        checkpoints.save(ARRAYS, progress(0.1, 0.2), best={"0": np.zeros(1)})
    monkeypatch.undo()
    assert checkpoints.load(ARRAYS)[1] == progress(0.1)
    assert sorted(path.name for path in checkpoints.folder.iterdir()) == ["best-1.npz", "last.npz"]


@pytest.mark.parametrize(
    ("other", "match"),
    [
        ({"n_items": 8}, r"is of a run with n_items 9, not 8\. Give the same log and options"),
        ({"learning_rate": 0.2}, "is of a run with learning_rate 0.1, not 0.2"),
    ],
    ids=["another catalogue", "another training configuration"],
)
def test_a_checkpoint_of_another_run_is_refused(checkpoints, other, match):
    checkpoints.save(ARRAYS, progress(0.1), best={"0": np.ones(1)})
    with pytest.raises(ConfigError, match=match):
        Checkpoints(checkpoints.folder, {**IDENTITY, **other}).load(ARRAYS)


def claims(shape: str) -> bytes:
    """An .npz whose array says that it has another shape than its bytes allow."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return archive({"network/0.npy": b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + header.encode() + b"\0" * 24})


def archive(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as content:
        for name, data in members.items():
            content.writestr(name, data)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no archive",
        claims("(1000000000000,)"),
        claims("(1000000, 1000000, 1000000)"),
        claims("("),
        claims("(__import__('os').abort(),)"),
        archive({"network/0.npy": b"\x93NUMPY\x09\x00"}),
        archive({"network/0.npy": b""}),
        archive({"memo.pickle": b"cos\nsystem\n"}),
    ],
    ids=["empty", "text", "10^12 entries", "10^18", "open bracket", "code", "unknown version", "no header", "pickle"],
)
@pytest.mark.parametrize("name", ["last.npz", "best-1.npz"])
def test_a_corrupted_checkpoint_is_one_sentence(checkpoints, name, content):
    checkpoints.save(ARRAYS, progress(0.1), best={"0": np.ones(1)})
    (checkpoints.folder / name).write_bytes(content)
    with pytest.raises(RunError, match=rf"{name} is corrupted: it holds [^\n]*\. Start over with --force\.$"):
        checkpoints.load(ARRAYS) if name == "last.npz" else checkpoints.load_best(progress(0.1), {"0": np.ones(1)})


@pytest.mark.parametrize("seed", range(60))
def test_a_flipped_bit_is_one_sentence(checkpoints, seed):
    checkpoints.save(ARRAYS, progress(0.1), best={"0": np.ones(1)})
    path, rng = checkpoints.folder / "last.npz", random.Random(seed)
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content if seed % 3 else content[: rng.randrange(len(content))])
    with contextlib.suppress(RunError, ConfigError):
        checkpoints.load(ARRAYS)


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"network/0": ARRAYS["network/0"]}, "no array 'count/0'"),
        ({**ARRAYS, "more": np.ones(1)}, "an unknown array 'more'"),
        ({**ARRAYS, "count/0": np.ones(3, np.int32)}, r"an array 'count/0' of int32 \(3,\), expected int32 \(\)"),
        ({**ARRAYS, "count/0": np.float32(1)}, r"of float32 \(\), expected int32 \(\)"),
    ],
    ids=["missing", "unknown", "shape", "type"],
)
def test_a_checkpoint_of_other_arrays_is_refused(checkpoints, arrays, match):
    checkpoints.save(arrays, progress(0.1), best={"0": np.ones(1)})
    with pytest.raises(RunError, match=match):
        checkpoints.load(ARRAYS)


@pytest.mark.parametrize("change", [{"best_epoch": 2}, {"best_epoch": -1}, {"epochs": [{}]}, {"batch": -1}])
def test_an_impossible_progress_is_refused(checkpoints, change):
    path = checkpoints.folder / "last.npz"
    checkpoints.save(ARRAYS, progress(0.1), best={"0": np.ones(1)})
    memo = {"format_version": 1, "identity": IDENTITY, "progress": msgspec.to_builtins(progress(0.1)) | change}
    np.savez(path, **ARRAYS, memo=np.array(json.dumps(memo)))
    with pytest.raises(RunError, match="no state of a training"):
        checkpoints.load(ARRAYS)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_without_waiting_for_it(checkpoints):
    checkpoints.folder.mkdir()
    os.mkfifo(checkpoints.folder / "last.npz")
    with pytest.raises(RunError, match="is a pipe, expected a file"):
        checkpoints.load(ARRAYS)


def test_a_checkpoint_of_a_newer_version_is_refused(checkpoints):
    checkpoints.save(ARRAYS, progress(0.1), best={"0": np.ones(1)})
    path = checkpoints.folder / "last.npz"
    memo = {"format_version": 2, "identity": IDENTITY, "progress": {}}
    np.savez(path, memo=np.array(json.dumps(memo)))
    with pytest.raises(RunError, match="format_version is 2, this sasrec-edge reads up to 1"):
        checkpoints.load(ARRAYS)


def test_checkpoints_lie_beside_the_run(tmp_path):
    assert folder_of(tmp_path / "run") == tmp_path.resolve() / "run.training"
    assert folder_of(Path("run")).is_absolute()
