"""A RUN that started from another one."""

import io
import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from sasrec_runtime.errors import OutputError
from sasrec_train import config, datasets, run
from sasrec_train.errors import ConfigError, DataError
from sasrec_train.log.interactions import Histories, Interactions
from sasrec_train.run import Run, run_config
from sasrec_train.split import SplitConfig
from sasrec_train.training.checkpoints import Checkpoints
from sasrec_train.warm_start import catalogue, configuration

pytestmark = pytest.mark.tf

LOG = datasets.load("synthetic:items=40,users=120,mean_length=8")
SMALL = {"max_len": 6, "hidden_dim": 8, "ffn_dim": 8, "num_blocks": 1}


class KilledError(Exception):
    """What a kill looks like from inside."""


def without_newest(log: Interactions, items: int = 1) -> Interactions:
    """The log before everybody took their last items."""
    last = np.minimum(items, log.histories.lengths)
    return replace(log, histories=log.histories.take(np.arange(len(log.histories)), without_last=last))


def without_item(log: Interactions, item: int) -> Interactions:
    """The log before an item was in the catalogue."""
    ids = log.histories.item_ids
    kept = ids != item
    lengths = np.bincount(log.histories.rows()[kept], minlength=len(log.histories))
    histories = Histories.from_lengths(lengths, (ids - (ids > item))[kept].astype(np.int32))
    keys = [key for i, key in enumerate(log.item_keys, 1) if i != item]
    titles = log.titles and [title for i, title in enumerate(log.titles, 1) if i != item]
    return replace(log, item_keys=keys, titles=titles, histories=histories)


@pytest.fixture(scope="module")
def old(tmp_path_factory) -> Run:
    log = without_item(without_newest(LOG), 3)
    configs = config.preset("modern", n_items=log.n_items, model=SMALL, train={"epochs": 2, "batch_size": 128})
    return run.create(log, *configs, tmp_path_factory.mktemp("old") / "run", keep_optimizer=True)


def configs(old: Run, log: Interactions = LOG, **model):
    return configuration.configs((old.model_config, old.train_config), n_items=log.n_items, model=model)


def warm(old: Run, out: Path, log: Interactions = LOG, **options) -> Run:
    return run.create(log, *configs(old, log), out, init_from=old, **options)


@pytest.fixture(scope="module")
def new(old, tmp_path_factory) -> tuple[Run, list[str]]:
    """A RUN that started from the old one, and what was said."""
    said: list[str] = []
    return warm(old, tmp_path_factory.mktemp("new") / "run", say=said.append), said


def facts(made: Run) -> dict:
    return json.loads((made.path / "warm_start.json").read_text())


def test_a_run_says_what_it_took_over(new):
    found = facts(new[0])
    assert found["items"] == {"kept": 39, "new": 1, "new_placed": 1, "vanished": 0, "without_interactions": 0}
    assert found["optimizer_state"]
    assert 0 <= found["moved_share"] <= 1


def test_what_was_taken_over_and_changed_is_said(new):
    first, last = new[1]
    assert "with its optimizer state: 39 items kept, 1 new (1 of them placed by who took them), 0 vanished." in first
    assert "of the kept items' entries of the item table moved by more than half an int8 step." in last


def test_the_run_of_an_earlier_log_was_trained_on_no_test_item(new):
    assert facts(new[0])["test_items_run_was_trained_on"] == 0


def test_users_who_were_too_new_to_be_split_were_trained_on_whole(new):
    too_new = np.count_nonzero(without_item(without_newest(LOG), 3).histories.lengths < 3)
    assert 0 < facts(new[0])["validation_items_run_was_trained_on"] <= too_new


def test_a_run_remembers_the_digest_of_the_one_it_started_from(new, old):
    assert new[0].config.warm_start.run_sha256 == old.sha256()


def test_a_killed_warm_start_goes_on_to_the_same_weights_and_as_no_other_start(old, new, tmp_path):
    def kill(epoch):
        raise KilledError

    with pytest.raises(KilledError):
        warm(old, tmp_path / "run", on_epoch=kill)
    with pytest.raises(ConfigError, match="is of a run with a start from a RUN of SHA-256"):
        run.create(LOG, *configs(old), tmp_path / "run", resume=True)
    resumed = warm(old, tmp_path / "run", resume=True)
    for ours, theirs in zip(resumed.model().get_weights(), new[0].model().get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_finished_warm_start_is_found_again(old, new):
    assert run.finished(new[0].path, LOG, *configs(old), init_from=old) is not None
    assert run.finished(new[0].path, LOG, *configs(old)) is None


def test_another_network_is_refused(old, tmp_path):
    model, training = config.preset("modern", n_items=LOG.n_items, model={**SMALL, "hidden_dim": 4})
    with pytest.raises(ConfigError, match="hidden_dim is 4, but the RUN to start from has 8"):
        run.create(LOG, model, training, tmp_path / "run", init_from=old)
    assert list(tmp_path.iterdir()) == []


def test_a_log_of_other_items_is_refused(old, tmp_path):
    other = replace(LOG, item_keys=[f"x{key}" for key in LOG.item_keys])
    with pytest.raises(DataError, match="have no item key in common"):
        warm(old, tmp_path / "run", other)
    assert list(tmp_path.iterdir()) == []


def test_a_run_does_not_replace_the_one_it_starts_from(old):
    with pytest.raises(OutputError, match=r"is read and to be written\. Choose another --out"):
        warm(old, old.path, force=True)


@pytest.fixture(scope="module")
def changed(old, tmp_path_factory) -> tuple[Run, str]:
    """A RUN of a longer network without optimizer state, of a log before that of the old one; and what was logged."""
    folder = tmp_path_factory.mktemp("changed")
    without = Path(shutil.copytree(old.path, folder / "old"))
    (without / "optimizer.npz").unlink()
    begin = Run.load(without)
    log = catalogue.keep_vanished(without_item(without_newest(LOG, 4), 5), begin.interactions)
    logger, lines = logging.getLogger("sasrec_train"), io.StringIO()
    handler = logging.StreamHandler(lines)
    logger.addHandler(handler)
    try:
        made = run.create(log, *configs(begin, log, max_len=9), folder / "run", init_from=begin)
    finally:
        logger.removeHandler(handler)
    return made, lines.getvalue()


def test_vanished_items_stay_where_they_are_asked_to(changed):
    made, _ = changed
    assert made.interactions.item_keys == LOG.item_keys
    assert facts(made)["items"]["without_interactions"] > 0


def test_a_longer_network_takes_over_what_it_can(changed):
    made, _ = changed
    assert facts(made)["max_len"] == {"run": 6, "here": 9}
    assert made.model().position_embedding.embeddings.shape == (9, 8)


def test_a_run_without_optimizer_state_starts_afresh(changed):
    assert not facts(changed[0])["optimizer_state"]


def test_a_run_of_a_later_log_is_warned_of(changed):
    assert "of the test items: their metrics are too good. Give a RUN of an earlier log" in changed[1]


def test_checkpoints_of_a_start_at_random_go_on_as_before(tmp_path):
    # Those of version 0.2 say nothing of a start.
    log = without_newest(LOG)
    configured = config.preset("modern", n_items=log.n_items, model=SMALL)
    now = run_config.identity(run_config.describe(log, *configured, SplitConfig(), "modern"))
    then = {name: value for name, value in now.items() if "start" not in name and name != "stay_near"}
    Checkpoints(tmp_path, now)._compare(then)
