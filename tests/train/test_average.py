"""The moving average of the weights: judged and saved in place of the weights themselves."""

import numpy as np
import pytest

pytestmark = [pytest.mark.tf, pytest.mark.xdist_group("train")]


def trained(average: float):
    from sasrec_train import config, datasets, fit

    log = datasets.load("synthetic:items=30,users=60,mean_length=8")
    model, recipe = config.preset(
        "modern",
        n_items=log.n_items,
        model={"max_len": 6, "hidden_dim": 8, "ffn_dim": 8, "dropout_rate": 0.0},
        train={"epochs": 2, "average": average, "learning_rate": 0.01},
    )
    return log, fit.train(log, model, recipe)


def test_an_average_moves_less_than_the_weights() -> None:
    # With a momentum near one the average stays near where it began, while the weights walk away.
    _, plain = trained(0.0)
    _, slow = trained(0.99)
    moved = [float(np.abs(run.model.final_norm.gamma.numpy() - 1).mean()) for run in (plain, slow)]
    assert 0 < moved[1] < moved[0]


def test_validation_judges_the_weights_that_are_kept() -> None:
    from sasrec_train import evaluate
    from sasrec_train.split import leave_one_out

    log, result = trained(0.9)
    held_out = leave_one_out(log).validation
    scorer = evaluate.model_scorer(result.model, held_out.histories)
    found = evaluate.evaluate(scorer, held_out, n_items=log.n_items)["full"]
    reported = result.epochs[result.best_epoch - 1].validation
    assert found["ndcg@10"] == pytest.approx(reported["ndcg@10"], abs=1e-12)
