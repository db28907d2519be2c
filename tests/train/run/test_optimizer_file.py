"""optimizer.npz of a RUN: read as it was written, or refused by its name."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from sasrec_train import config
from sasrec_train.errors import RunError
from sasrec_train.network.model import SASRec
from sasrec_train.run import optimizer_file
from sasrec_train.training.start import Moments

pytestmark = pytest.mark.tf

SMALL = {"max_len": 4, "hidden_dim": 4, "ffn_dim": 4, "num_blocks": 1, "num_heads": 1}
TABLE = "item_embedding/embeddings"


@pytest.fixture(scope="module")
def network() -> SASRec:
    return SASRec(config.preset("modern", n_items=3, model=SMALL)[0])


@pytest.fixture
def moments(network) -> Moments:
    values = [weight.numpy() for weight in network.trainable_variables]
    return Moments(12, values, [value**2 for value in values])


@pytest.fixture
def written(network, moments, tmp_path) -> Path:
    path = tmp_path / "optimizer.npz"
    optimizer_file.write(path, moments, network)
    return path


def test_moments_come_back_as_they_were_written(network, moments, written):
    again = optimizer_file.read(written, network)
    assert again.step == 12
    for ours, theirs in zip([*again.first, *again.second], [*moments.first, *moments.second], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_it_has_eight_bytes_per_weight(network, written):
    with np.load(written) as file:
        stored = sum(file[name].nbytes for name in file.files if name != "step")
    assert stored == 8 * sum(weight.numpy().size for weight in network.trainable_variables)


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (lambda a: a.pop("step"), "no array 'step'"),
        (lambda a: a.update(more=np.zeros(1)), "an unknown array 'more'"),
        (lambda a: a.update(step=np.array(-1)), "step -1, expected one in"),
        (lambda a: a.update(step=np.array(1.0)), "an array 'step' of float64"),
        (lambda a: a[f"second_moment/{TABLE}"].fill(-1), "values that Adam does not have"),
        (lambda a: a[f"first_moment/{TABLE}"].fill(np.nan), "values that Adam does not have"),
        (lambda a: a.update({f"first_moment/{TABLE}": np.zeros((9, 4), np.float32)}), r"float32 \(9, 4\), expected"),
    ],
    ids=["missing", "unknown", "negative step", "float step", "negative", "NaN", "other catalogue"],
)
def test_another_content_is_refused(network, written, change, seen):
    with np.load(written) as file:
        arrays = dict(file)
    change(arrays)
    np.savez(written, **arrays)
    with pytest.raises(RunError, match=rf"optimizer\.npz is corrupted: it holds .*{seen}.*Delete the file"):
        optimizer_file.read(written, network)


def test_what_is_no_archive_is_refused(network, written):
    written.write_bytes(b"no zip")
    with pytest.raises(RunError, match=r"optimizer\.npz is corrupted: it holds no intact archive"):
        optimizer_file.read(written, network)
