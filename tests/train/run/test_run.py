"""Training a tiny log end to end, and reading the RUN folder it leaves."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import tensorflow as tf

from sasrec_train import datasets, run
from sasrec_train.config import preset
from sasrec_train.errors import ConfigError, DataError, RunError, TrainError
from sasrec_train.evaluation import evaluate, scorers
from sasrec_train.log.interactions import Histories, Interactions
from sasrec_train.network.model import SASRec
from sasrec_train.run import Run
from sasrec_train.split import Split, SplitConfig, leave_one_out, split
from sasrec_train.training import loop
from sasrec_train.training.train_step import Trainer

pytestmark = pytest.mark.tf

SMALL = {"max_len": 8, "hidden_dim": 16, "ffn_dim": 16, "num_blocks": 1, "num_heads": 2, "dropout_rate": 0.1}
QUICK = {"epochs": 2, "batch_size": 64, "learning_rate": 0.01}


def configured(log: Interactions, name: str = "modern", model=None, **train):
    return preset(name, n_items=log.n_items, model={**SMALL, **(model or {})}, train={**QUICK, **train})


@pytest.fixture(scope="module")
def log() -> Interactions:
    """A log with titles and with keys that need care."""
    made_up = datasets.load("synthetic:items=60,users=300,mean_length=10")
    keys = [f" {key}é" for key in made_up.item_keys]
    return replace(made_up, item_keys=keys, titles=["", *keys[1:]])


@pytest.fixture(scope="module")
def made(log, tmp_path_factory) -> Run:
    return run.create(log, *configured(log), tmp_path_factory.mktemp("made") / "run", preset="modern")


@pytest.fixture
def copy(made, tmp_path) -> Path:
    return Path(shutil.copytree(made.path, tmp_path / "run"))


def test_a_run_holds_what_the_log_held(made, log):
    loaded = Run.load(made.path)
    assert loaded.interactions == Interactions(
        log.name, log.user_keys, log.item_keys, log.titles, loaded.interactions.histories
    )
    assert loaded.data_sha256 == log.sha256 == loaded.interactions.sha256
    assert (loaded.model_config, loaded.train_config) == configured(log)
    assert (loaded.seed, loaded.config.preset) == (0, "modern")


def test_a_run_is_the_files_it_should_be(made):
    assert sorted(path.name for path in made.path.iterdir()) == [
        "config.json", "histories.npz", "history.csv", "items.txt", "learning_curve.svg", "metrics.json",
        "model.keras", "split.json", "split.npz", "titles.txt", "users.txt",
    ]  # fmt: skip
    header, *rows = (made.path / "history.csv").read_text().splitlines()
    assert header.startswith("epoch,loss,validation_hr@1,")
    assert header.endswith(",seconds,validation_seconds")
    assert len(rows) == 2
    assert json.loads((made.path / "split.json").read_text())["test_users"] == made.metrics["users"]


def test_metrics_can_be_measured_again_from_the_folder_alone(made):
    loaded = Run.load(made.path)
    again = evaluate.on_test(loaded.model(), loaded.split())
    assert list(again)[:4] == ["output_version", "split", "users", "keep_seen"]
    assert again == made.metrics


def test_a_sample_of_users_is_evaluated_where_all_would_be_too_many(made, monkeypatch, caplog):
    monkeypatch.setattr(evaluate, "MAX_SCORES", 100 * made.interactions.n_items)
    model, parts = made.model(), made.split()
    assert evaluate.on_test(model, parts)["users"] == 100
    everyone = made.metrics["users"]
    assert f"100 of {everyone} test users are evaluated, drawn from the seed" in caplog.text
    assert evaluate.on_test(model, parts, users=7)["users"] == 7
    assert evaluate.on_test(model, parts, users=0)["users"] == everyone


def test_metrics_of_an_older_version_without_intervals_still_load(copy, made):
    old = ("output_version", "split", "users", "keep_seen", "full", "sampled", "popularity")
    (copy / "metrics.json").write_text(json.dumps({name: made.metrics[name] for name in old}))
    assert Run.load(copy).metrics["full"] == made.metrics["full"]


def lists(parts: Split) -> list:
    histories = [parts.train, parts.validation.histories, parts.test.histories]
    return [[history.tolist() for history in each] for each in histories] + [
        [held_out.users.tolist(), held_out.targets.tolist()] for held_out in (parts.validation, parts.test)
    ]


def test_a_run_remembers_its_split(log, tmp_path):
    # Times that do not go with the histories' lengths: the split cannot be guessed from the folder.
    times = np.random.default_rng(0).uniform(size=log.histories.item_ids.size)
    times = np.concatenate([np.sort(part) for part in np.split(times, log.histories.offsets[1:-1])])
    timed = replace(log, times=times)
    config = SplitConfig(kind="temporal", validation_share=0.2, test_share=0.2)
    made = run.create(timed, *configured(log, epochs=1), tmp_path / "run", split_config=config)
    expected = split(timed, config).apply(log.histories)
    assert lists(made.split()) == lists(expected) != lists(leave_one_out(log))
    assert made.config.split == config
    assert made.metrics["users"] == expected.test.users.size


def test_a_run_older_than_split_npz_is_leave_one_out(copy, log):
    config = json.loads((copy / "config.json").read_text())
    del config["split"], config["filters"]
    (copy / "config.json").write_text(json.dumps(config))
    (copy / "split.npz").unlink()
    assert lists(Run.load(copy).split()) == lists(leave_one_out(log))


def test_a_missing_split_is_named(copy):
    (copy / "split.npz").unlink()
    with pytest.raises(RunError, match=r"split\.npz is missing"):
        Run.load(copy).split()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda arrays: {**arrays, "test": arrays["test"] + 1000}, "positions that are not in the histories"),
        (lambda arrays: {**arrays, "train_ends": arrays["train_ends"] + 2}, "positions that are not in the histories"),
        (lambda arrays: {**arrays, "validation": arrays["validation"][1:]}, r"arrays that are not int64 \(300,\)"),
        (lambda arrays: {"test": arrays["test"]}, "no arrays `train_ends`, `validation` and `test`"),
    ],
    ids=["outside", "trained on", "short", "absent"],
)
def test_a_corrupted_split_is_named(copy, change, match):
    with np.load(copy / "split.npz") as arrays:
        changed = change(dict(arrays))
    np.savez(copy / "split.npz", **changed)
    with pytest.raises(RunError, match=rf"split\.npz is corrupted: it holds {match}"):
        Run.load(copy).split()


def test_the_network_is_saved_without_an_optimizer(made):
    loaded = made.model()
    assert not loaded.compiled
    assert getattr(loaded, "optimizer", None) is None


def test_reading_a_run_does_not_import_tensorflow(made):
    code = "import sys; from sasrec_train.run import Run; Run.load(sys.argv[1]); print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, made.path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    "name", ["config.json", "items.txt", "users.txt", "histories.npz", "metrics.json", "model.keras"]
)
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(RunError, match=f"{name} is missing: the run is incomplete"):
        Run.load(copy)


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("config.json", b"{", "config.json is corrupted: it holds no JSON"),
        ("config.json", b"[]", "config.json is corrupted: it holds no JSON object"),
        ("config.json", b"{}", r"config.json is corrupted: it holds Object missing required field `format_version`"),
        ("config.json", b'{"format_version": 2}', "format_version is 2, this sasrec-edge reads up to 1"),
        ("items.txt", b"1\n2\n", "titles.txt is corrupted: it holds 60 lines, expected one per item"),
        ("items.txt", b"\xff\n", "items.txt is corrupted: it holds bytes that are not UTF-8"),
        ("users.txt", b"u\n", "users.txt is corrupted: it holds 1 lines, expected one per history"),
        ("titles.txt", b"one\n", "titles.txt is corrupted: it holds 1 lines, expected one per item"),
        ("histories.npz", b"PK", "histories.npz is corrupted"),
        ("metrics.json", b"{}", "metrics.json is corrupted: it holds no metrics under 'full'"),
    ],
)
def test_a_corrupted_file_is_named(copy, name, content, match):
    (copy / name).write_bytes(content)
    with pytest.raises(RunError, match=match):
        Run.load(copy)


def test_other_histories_than_those_trained_on_are_noticed(copy):
    with np.load(copy / "histories.npz") as arrays:
        offsets, item_ids = arrays["offsets"], arrays["item_ids"]
    np.savez(copy / "histories.npz", offsets=offsets, item_ids=item_ids[::-1])
    with pytest.raises(RunError, match="other histories or keys than the model was trained on"):
        Run.load(copy)


def test_item_ids_outside_the_catalogue_are_noticed(copy):
    with np.load(copy / "histories.npz") as arrays:
        offsets, item_ids = arrays["offsets"], arrays["item_ids"]
    np.savez(copy / "histories.npz", offsets=offsets, item_ids=item_ids - 1)
    with pytest.raises(RunError, match=r"histories\.npz is corrupted: it holds item ids outside \[1, 60\]"):
        Run.load(copy)


@pytest.mark.parametrize("damage", ["truncated", "text", "empty"])
def test_a_corrupted_network_is_named(copy, damage):
    path = copy / "model.keras"
    path.write_bytes({"truncated": path.read_bytes()[:2000], "text": b"no network", "empty": b""}[damage])
    with pytest.raises(RunError, match=r"model\.keras is corrupted"):
        Run.load(copy).model()


def test_a_network_of_another_run_is_refused(copy, log):
    SASRec(configured(log, model={"max_len": 5})[0]).save(copy / "model.keras")
    with pytest.raises(RunError, match=r"another network than config\.json describes"):
        Run.load(copy).model()


def test_a_path_that_is_no_run_is_said(tmp_path):
    with pytest.raises(RunError, match=r"is not a folder\. Give a folder that `sasrec-edge train` wrote"):
        Run.load(tmp_path / "nothing")


def test_training_learns_what_a_sequence_model_can(log):
    parts = leave_one_out(log)
    trained = loop.train(log, *configured(log, epochs=15, learning_rate=0.02), split=parts)
    result = evaluate.on_test(trained.model, parts)
    assert result["full"]["hr@10"] > result["popularity"]["full"]["hr@10"] + 0.1
    assert trained.epochs[-1].loss < trained.epochs[0].loss


def test_the_same_seed_trains_the_same_network(made, log):
    again = loop.train(log, *configured(log)).model.get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(made.model().get_weights(), again, strict=True))


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("seed", {"model": {"causal": False, "embedding_l2": 1e-3}}),
        ("paper", {"num_negatives": 3, "windows": "all"}),
    ],
    ids=["not causal, with a penalty", "paper, three negatives"],
)
def test_every_kind_of_training_lowers_the_loss(log, name, fields):
    trained = loop.train(log, *configured(log, name, epochs=3, **fields))
    losses = [epoch.loss for epoch in trained.epochs]
    assert losses[-1] < losses[0]


def test_training_stops_when_validation_gets_no_better_and_keeps_the_best(log):
    seen = []
    trained = loop.train(log, *configured(log, epochs=50, patience=1, learning_rate=0.05), on_epoch=seen.append)
    assert seen == trained.epochs
    assert len(trained.epochs) == trained.best_epoch + 1 < 50
    best = max(epoch.validation["ndcg@10"] for epoch in trained.epochs)
    assert trained.epochs[trained.best_epoch - 1].validation["ndcg@10"] == best
    held_out = leave_one_out(log).validation
    scorer = evaluate.model_scorer(trained.model, held_out.histories)
    assert evaluate.evaluate(scorer, held_out, n_items=log.n_items)["full"]["ndcg@10"] == pytest.approx(best)


def test_every_step_is_shown(log):
    steps = []
    trained = loop.train(log, *configured(log, epochs=2), on_step=steps.append)
    assert [step.step for step in steps] == list(range(1, steps[0].total + 1))
    assert {step.epoch for step in steps} == {epoch.epoch for epoch in trained.epochs}


@pytest.mark.parametrize(
    ("loss", "seen"), [(float("nan"), "a loss of nan"), (float("inf"), "a loss of inf"), (1e9, "where guessing gives")]
)
def test_diverging_training_is_said(log, monkeypatch, loss, seen):
    monkeypatch.setattr(Trainer, "take_loss", lambda _: loss)
    with pytest.raises(ConfigError, match=rf"training has .*{seen}.* in epoch 1.*Lower --learning-rate \(it is 0.01\)"):
        loop.train(log, *configured(log))


def test_weights_that_are_not_finite_are_never_kept(log, monkeypatch):
    def copy_weights(_: Trainer, evaluated: SASRec) -> None:
        evaluated.item_embedding.embeddings.assign(evaluated.item_embedding.embeddings * np.nan)

    monkeypatch.setattr(Trainer, "copy_weights", copy_weights)
    with pytest.raises(ConfigError, match="training has weights that are not finite numbers in epoch 1"):
        loop.train(log, *configured(log))


@pytest.mark.parametrize("name", ["modern", "paper", "seed"])
def test_the_highest_learning_rate_still_gives_numbers(log, name):
    losses = [epoch.loss for epoch in loop.train(log, *configured(log, name, learning_rate=1.0)).epochs]
    assert np.isfinite(losses).all()


@pytest.mark.parametrize(
    ("error", "kind", "match"),
    [
        (tf.errors.ResourceExhaustedError(None, None, "OOM"), ConfigError, "training needs more memory than there is"),
        (MemoryError(), ConfigError, r"training needs more memory than there is\. Lower --batch-size"),
        (
            tf.errors.InvalidArgumentError(None, None, "bad\nshape."),
            TrainError,
            "training failed in TensorFlow: bad shape",
        ),
    ],
    ids=["TensorFlow's memory", "memory", "argument"],
)
def test_what_tensorflow_refuses_is_one_sentence(log, monkeypatch, error, kind, match):
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(Trainer, "__call__", fail)
    with pytest.raises(kind, match=match):
        loop.train(log, *configured(log))


def test_histories_that_do_not_fit_in_memory_are_one_sentence(made, monkeypatch):
    model = made.model()

    def fail(_: object) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "OOM")

    monkeypatch.setattr(model, "encoder", lambda: fail)
    with pytest.raises(ConfigError, match="encoding the histories needs more memory than there is"):
        evaluate.on_test(model, made.split())


def test_a_network_too_large_for_the_memory_is_refused_before_it_is_built(log):
    with pytest.raises(ConfigError, match=r"for a step, and there are .*Lower --max-len, --batch-size or --negatives"):
        loop.train(log, *configured(log, model={"max_len": 2**16, "num_blocks": 64}))
    with pytest.raises(ConfigError, match=r"of memory for the weights .*Lower --hidden-dim or --ffn-dim"):
        loop.train(log, *configured(log, model={"hidden_dim": 2**16, "ffn_dim": 2**16, "num_blocks": 100}))


def test_more_steps_than_can_be_counted_are_refused(log):
    with pytest.raises(ConfigError, match=r"come to 2,147,483,646 epochs of \d+ steps, expected at most"):
        loop.train(log, *configured(log, epochs=2**31 - 2))


def test_long_histories_are_encoded_a_few_at_a_time(made, monkeypatch):
    held_out = made.split().test
    whole = evaluate.model_scorer(made.model(), held_out.histories)
    monkeypatch.setattr(scorers, "MAX_ATTENTION", 300)
    few = evaluate.model_scorer(made.model(), held_out.histories)
    rows = np.arange(held_out.users.size)
    np.testing.assert_allclose(few(rows), whole(rows), rtol=1e-4, atol=1e-4)


def test_a_log_with_nothing_left_to_learn_from_is_refused():
    short = Interactions("short", ["u"], ["a", "b", "c"], None, Histories.from_lists([[1, 2, 3]]))
    with pytest.raises(DataError, match="short: no history has two items left after validation and test"):
        loop.train(short, *configured(short))


def test_a_configuration_of_another_catalogue_is_refused(log):
    model, train_config = preset("modern", n_items=log.n_items + 1)
    with pytest.raises(ConfigError, match=r"n_items is \d+, but synthetic.* has \d+ items"):
        loop.train(log, model, train_config)
