"""A loss that the project does not ship goes the whole way: it is a function and an entry, and no package knows it."""

import json

import pytest
from click.testing import CliRunner

from sasrec_export.cli import main
from sasrec_train import loss_registry
from sasrec_train.loss_registry import Loss

pytestmark = pytest.mark.tf

LOG = "synthetic:items=90,users=80,mean_length=12,seed=5"
SMALL = ["--max-len", "8", "--hidden-dim", "16", "--ffn-dim", "16", "--epochs", "2"]


def bpr_max(inputs):
    """Return BPR-max: -log Σ_j softmax(negatives)_j σ(target - negative_j), summed over positions.

    Source: Hidasi & Karatzoglou 2018, "Recurrent neural networks with top-k gains", equation 9, without its penalty.
    """
    import tensorflow as tf

    negative = inputs.negative_logits()
    above = tf.sigmoid(inputs.target_logits()[:, None] - negative)
    return -tf.reduce_sum(tf.math.log(tf.reduce_sum(tf.nn.softmax(negative) * above, axis=-1) + 1e-24))


def hinge(inputs):
    """Return the multi-class hinge loss over the whole catalogue: how far the best other item comes within 1."""
    import tensorflow as tf

    logits = tf.matmul(inputs.hidden, inputs.table[1:], transpose_b=True)
    others = logits - 1e9 * tf.one_hot(inputs.targets - 1, inputs.n_items)
    return tf.reduce_sum(tf.nn.relu(1.0 + tf.reduce_max(others, axis=-1) - inputs.target_logits()))


NEW = {
    "bpr_max": Loss(bpr_max, "BPR-max", samples=True),
    "hinge": Loss(hinge, "hinge loss over the catalogue", whole_table=True),
}


@pytest.fixture(scope="module", autouse=True)
def _registered():
    with pytest.MonkeyPatch.context() as patch:
        for name, loss in NEW.items():
            patch.setitem(loss_registry.LOSSES, name, loss)
        yield


@pytest.fixture(scope="module", params=NEW)
def run(request, tmp_path_factory):
    """Return the name of a new loss and a RUN that `train --loss` wrote with it."""
    pytest.importorskip("tensorflow")
    out = tmp_path_factory.mktemp(request.param) / "run"
    invoke("train", "--data", LOG, "--loss", request.param, *SMALL, "--out", str(out))
    return request.param, out


def invoke(*arguments: str) -> str:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_loss_falls(run) -> None:
    _, out = run
    losses = [float(line.split(",")[1]) for line in (out / "history.csv").read_text().splitlines()[1:]]
    assert len(losses) == 2
    assert losses[1] < losses[0]


def test_the_run_knows_its_loss_and_is_evaluated(run) -> None:
    name, out = run
    assert json.loads((out / "config.json").read_text())["train"]["loss"] == name
    assert json.loads(invoke("evaluate", str(out), "--json"))["full"]["hr@10"] > 0


def test_the_run_is_exported(run, tmp_path) -> None:
    _, out = run
    invoke("export", str(out), "--out", str(tmp_path / "bundle"), "--runtime", "onnx", "--recipe", "wi8")
    invoke("verify", str(tmp_path / "bundle"))


def test_help_lists_the_loss() -> None:
    listed = "".join(invoke("train", "--help").split())
    assert all(name in listed for name in NEW)


def test_an_option_of_other_losses_is_refused() -> None:
    arguments = ["train", "--data", LOG, "--loss", "hinge", "--negatives", "5", "--out", "unwritten"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "--negatives has no effect on hinge" in result.stderr


def test_an_unknown_loss_is_refused_with_all_names() -> None:
    from sasrec_train import config
    from sasrec_train.errors import ConfigError

    with pytest.raises(ConfigError, match=r"loss is 'margin', expected one of auto, cross_entropy.*, bpr_max, hinge"):
        config.preset("modern", n_items=9, train={"loss": "margin"})
