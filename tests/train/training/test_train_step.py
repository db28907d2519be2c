"""What a training step computes: the penalty, and the weights that are evaluated."""

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from sasrec_train import config, datasets
from sasrec_train.evaluation import evaluate
from sasrec_train.network.model import SASRec
from sasrec_train.split import leave_one_out
from sasrec_train.training import loop
from sasrec_train.training.batches import Batches
from sasrec_train.training.train_step import Trainer

pytestmark = [pytest.mark.tf]

LOG = datasets.load("synthetic:items=30,users=60,mean_length=8")
SMALL = {"max_len": 6, "hidden_dim": 8, "ffn_dim": 8, "dropout_rate": 0.0}


def trained(average: float):
    model, train_config = config.preset(
        "modern", n_items=LOG.n_items, model=SMALL, train={"epochs": 2, "average": average, "batch_size": 64}
    )
    return loop.train(LOG, model, train_config)


def test_an_average_moves_less_than_the_weights():
    # With a momentum near one all steps weigh alike, and the first ones stood near the start.
    plain, slow = trained(0.0), trained(0.999)
    moved = [float(np.abs(run.model.final_norm.gamma.numpy() - 1).mean()) for run in (plain, slow)]
    assert 0 < moved[1] < moved[0]


def test_validation_evaluates_the_weights_that_are_kept():
    result = trained(0.9)
    held_out = leave_one_out(LOG).validation
    scorer = evaluate.model_scorer(result.model, held_out.histories)
    ranks, _ = evaluate.rank(scorer, held_out, n_items=LOG.n_items, num_negatives=0)
    reported = result.epochs[result.best_epoch - 1].validation
    assert float((ranks < 10).mean()) == pytest.approx(reported["hr@10"], abs=1e-12)


def first_loss(**fields) -> float:
    model_config, train_config = config.preset(
        "modern", n_items=LOG.n_items, model={**SMALL, "similarity": "dot", **fields}, train={"batch_size": 10**6}
    )
    histories = leave_one_out(LOG).train
    batches = Batches(histories, n_items=LOG.n_items, max_len=6, batch_size=10**6, batch_unit="positions")
    model = SASRec(model_config)
    model.item_embedding.embeddings.assign(np.full(model.item_embedding.embeddings.shape, 0.1, np.float32))
    model.position_embedding.embeddings.assign(np.full((6, 8), 0.2, np.float32))
    trainer = Trainer(model, train_config, total_steps=1, positions_per_batch=batches.positions_per_batch)
    (batch,) = batches.epoch(0)
    trainer(*batch.arrays)
    return trainer.take_loss()


def test_the_penalty_covers_items_and_positions():
    table, positions = (LOG.n_items + 1) * 8 * 0.1**2, 6 * 8 * 0.2**2
    assert first_loss(embedding_l2=0.5) - first_loss() == pytest.approx(0.5 * (table + positions), rel=1e-4)


def test_equal_item_vectors_lose_what_chance_loses():
    assert first_loss() == pytest.approx(np.log(LOG.n_items), rel=1e-5)
