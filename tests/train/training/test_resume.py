"""Training that is stopped and gone on with ends where unbroken training ends."""

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from sasrec_runtime.atomic import folder
from sasrec_runtime.atomic.scratch import MARKER
from sasrec_runtime.errors import OutputError
from sasrec_train import config, datasets, run
from sasrec_train.errors import ConfigError, RunError
from sasrec_train.training import checkpoints, loop
from sasrec_train.training.checkpoints import Checkpoints

pytestmark = [pytest.mark.tf]

LOG = datasets.load("synthetic:items=40,users=120,mean_length=8")
SMALL = {"max_len": 6, "hidden_dim": 8, "ffn_dim": 8, "num_blocks": 1}


class KilledError(Exception):
    """What a kill looks like from inside."""


def configured(**train):
    train_fields = {"epochs": 3, "batch_size": 128, "num_negatives": 7, **train}
    return config.preset("modern", n_items=LOG.n_items, model=SMALL, train=train_fields)


def kill_after(number: int):
    def on_epoch(epoch):
        if epoch.epoch == number:
            raise KilledError

    return on_epoch


@pytest.mark.parametrize("loss", ["cross_entropy", "sampled_softmax"])
def test_a_killed_run_goes_on_to_the_same_weights(loss, tmp_path):
    configs = configured(loss=loss)
    unbroken = loop.train(LOG, *configs)
    with pytest.raises(KilledError):
        loop.train(LOG, *configs, checkpoints=Checkpoints(tmp_path / "c", {}), on_epoch=kill_after(2))
    resumed = loop.train(LOG, *configs, checkpoints=Checkpoints(tmp_path / "c", {}))
    for ours, theirs in zip(resumed.model.get_weights(), unbroken.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert [epoch.validation for epoch in resumed.epochs] == [epoch.validation for epoch in unbroken.epochs]
    assert [epoch.loss for epoch in resumed.epochs] == pytest.approx([epoch.loss for epoch in unbroken.epochs])


def test_a_run_killed_within_an_epoch_goes_on_from_there(tmp_path, monkeypatch):
    configs = configured(loss="sampled_softmax")
    unbroken = loop.train(LOG, *configs)
    places = []
    save = Checkpoints.save

    def save_and_die(self, arrays, progress, *, best=None):
        save(self, arrays, progress, best=best)
        places.append((len(progress.epochs), progress.batch))
        if places[-1] == (1, 3):
            raise KilledError

    monkeypatch.setattr(Checkpoints, "save", save_and_die)
    with pytest.raises(KilledError):
        loop.train(LOG, *configs, checkpoints=Checkpoints(tmp_path / "c", {}, every_s=0))
    monkeypatch.undo()
    resumed = loop.train(LOG, *configs, checkpoints=Checkpoints(tmp_path / "c", {}))
    for ours, theirs in zip(resumed.model.get_weights(), unbroken.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert [epoch.loss for epoch in resumed.epochs] == pytest.approx([epoch.loss for epoch in unbroken.epochs])


@pytest.fixture
def unfinished(tmp_path):
    """A RUN's place with the checkpoints of a training that was killed after its first epoch."""
    with pytest.raises(KilledError):
        run.create(LOG, *configured(), tmp_path / "run", on_epoch=kill_after(1))
    assert not (tmp_path / "run").exists()
    return tmp_path / "run"


def test_an_unfinished_training_is_not_lost_by_starting_over(unfinished):
    with pytest.raises(RunError, match=r"run\.training holds an unfinished training\. Continue it with --resume"):
        run.create(LOG, *configured(), unfinished)


def test_a_resumed_run_is_whole_and_leaves_no_checkpoints(unfinished):
    seen = []
    made = run.create(LOG, *configured(), unfinished, resume=True, on_epoch=lambda epoch: seen.append(epoch.epoch))
    assert seen == [2, 3]
    assert len((made.path / "history.csv").read_text().splitlines()) == 4
    assert [path.name for path in unfinished.parent.iterdir()] == ["run"]


def test_force_starts_over(unfinished):
    seen = []
    run.create(LOG, *configured(), unfinished, force=True, on_epoch=lambda epoch: seen.append(epoch.epoch))
    assert seen == [1, 2, 3]


def test_a_checkpoint_of_another_catalogue_is_refused_and_kept(unfinished):
    other = datasets.load("synthetic:items=30,users=120,mean_length=8")
    configs = config.preset("modern", n_items=other.n_items, model=SMALL, train={"epochs": 3, "num_negatives": 7})
    with pytest.raises(ConfigError, match=r"last\.npz is of a run with n_items 40, not 30"):
        run.create(other, *configs, unfinished, resume=True)
    assert (checkpoints.folder_of(unfinished) / "last.npz").is_file()


@pytest.fixture
def just_finished(tmp_path, monkeypatch):
    """A RUN's place where the kill came when the RUN had appeared, and its checkpoints were still there."""
    remove = Checkpoints.remove

    def remove_and_die(self):
        if (tmp_path / "run").exists():
            raise KilledError
        remove(self)

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "remove", remove_and_die)
        with pytest.raises(KilledError):
            run.create(LOG, *configured(epochs=1), tmp_path / "run")
    assert (tmp_path / "run.training" / "last.npz").is_file()
    return tmp_path / "run"


def test_a_run_that_is_there_already_is_what_resuming_gives(just_finished):
    before = (just_finished / "metrics.json").read_bytes()
    made = run.create(LOG, *configured(epochs=1), just_finished, resume=True, on_epoch=lambda _: pytest.fail("trained"))
    assert made.metrics == run.Run.load(just_finished).metrics
    assert (just_finished / "metrics.json").read_bytes() == before
    assert [path.name for path in just_finished.parent.iterdir()] == ["run"]


def test_another_run_that_is_there_already_is_kept(just_finished):
    with pytest.raises(OutputError, match="run exists already"):
        run.create(LOG, *configured(epochs=1, seed=3), just_finished, resume=True)
    assert (just_finished.with_name("run.training") / "last.npz").is_file()


def test_a_second_training_into_one_place_is_refused_and_the_first_goes_on(tmp_path):
    said = []

    def train_too(_):
        for options in ({}, {"resume": True}, {"force": True}):
            with pytest.raises(OutputError, match=r"another training writes to .*run\.training") as refused:
                run.create(LOG, *configured(epochs=1), tmp_path / "run", **options)
            said.append(refused.value)

    assert run.create(LOG, *configured(epochs=1), tmp_path / "run", on_epoch=train_too).metrics["users"] > 0
    assert len(said) == 3


def test_checkpoints_of_version_0_1_are_gone_on_with(unfinished):
    (checkpoints.folder_of(unfinished) / MARKER).unlink()
    seen = []
    run.create(LOG, *configured(), unfinished, resume=True, on_epoch=lambda epoch: seen.append(epoch.epoch))
    assert seen == [2, 3]
    assert [path.name for path in unfinished.parent.iterdir()] == ["run"]


def test_a_training_that_fails_before_its_first_checkpoint_leaves_nothing(tmp_path, monkeypatch):
    def fail(_):
        raise KilledError

    monkeypatch.setattr(loop._Run, "train", fail)
    with pytest.raises(KilledError):
        run.create(LOG, *configured(), tmp_path / "deep" / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_run_holds_what_its_kind_names_and_nothing_else(tmp_path):
    run.create(LOG, *configured(epochs=1), tmp_path / "run")
    folder.check(tmp_path / "run", run.RUN, force=True)


def test_there_may_be_nothing_to_resume(tmp_path):
    assert run.create(LOG, *configured(epochs=1), tmp_path / "run", resume=True).metrics["users"] > 0
