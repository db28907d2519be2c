"""A training that starts from a RUN: what is read of it, and what warm_start.json says about it afterwards."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sasrec_train.config import ModelConfig, TrainConfig
from sasrec_train.log.interactions import Interactions
from sasrec_train.run.run_config import WarmStartConfig
from sasrec_train.split import Split
from sasrec_train.warm_start import configuration, matching, movement, trained_targets

if TYPE_CHECKING:
    from sasrec_train.run.folder import Run
    from sasrec_train.training.loop import Trained
    from sasrec_train.training.start import Start

__all__ = ["WarmStart", "changed", "recorded"]

OUTPUT_VERSION = 1


class WarmStart:
    """The start of one training from one RUN.

    Args:
        run: The RUN whose weights are taken over.
        interactions: The log to train on.
        model_config: The network to train.
        stay_near: See training.start.Start.

    Raises:
        ConfigError: The network is another one.
        DataError: Log and RUN have no item in common.
    """

    def __init__(self, run: "Run", interactions: Interactions, model_config: ModelConfig, stay_near: float):
        configuration.refuse_other_network(run.model_config, model_config)
        self._run = run
        self._log = interactions
        self._config = model_config
        self._stay_near = stay_near
        self._match = matching.match(
            run.interactions.item_keys, interactions.item_keys, run=str(run.path), log=interactions.name
        )
        self._old: NDArray[np.float32] = np.empty((0, 0), np.float32)  # item vectors of the RUN, once begun
        self._facts: dict[str, Any] = {}

    def begin(self, parts: Split, train_config: TrainConfig) -> "Start":
        """Return what training begins with. The same arguments give the same start.

        Raises:
            RunError: A file of the RUN is corrupted, or was replaced.
        """
        from sasrec_train.warm_start import weights  # noqa: PLC0415 - reading a Run is light

        network = self._run.model()
        moments = self._run.moments(network)
        start, placed = weights.begin(
            network, moments, self._match, parts.train, self._config, stay_near=self._stay_near, seed=train_config.seed
        )
        self._old = self._match.rows(np.asarray(network.item_table, np.float32))
        old = (self._run.split().train, self._run.interactions.user_keys)
        learned = [
            trained_targets.count(held_out, self._log, *old, self._match) for held_out in (parts.validation, parts.test)
        ]
        without = np.bincount(self._log.histories.item_ids, minlength=self._log.n_items + 1)[1:] == 0
        self._facts = {
            "output_version": OUTPUT_VERSION,
            "run": self._run.path.name,
            "run_sha256": self._run.sha256(),
            "items": {
                "kept": int(np.count_nonzero(self._match.old_ids > 0)),
                "new": int(self._match.new_ids.size),
                "new_placed": placed,
                "vanished": self._match.vanished,
                "without_interactions": int(np.count_nonzero(without)),
            },
            "max_len": {"run": self._run.model_config.max_len, "here": self._config.max_len},
            "optimizer_state": moments is not None,
            "epochs": train_config.epochs,
            "min_steps": train_config.min_steps,
            "learning_rate": train_config.learning_rate,
            "stay_near": self._stay_near,
            "validation_items_run_was_trained_on": learned[0],
            "test_items_run_was_trained_on": learned[1],
        }
        return start

    @property
    def taken_over(self) -> str:
        """What the training begins with, as a sentence. Call begin first."""
        items = self._facts["items"]
        state = "with its optimizer state" if self._facts["optimizer_state"] else "with a fresh optimizer"
        return (
            f"starting from {self._run.path} {state}: {items['kept']:,} items kept, {items['new']:,} new "
            f"({items['new_placed']:,} of them placed by who took them), {items['vanished']:,} vanished."
        )

    @property
    def warning(self) -> str | None:
        """What is wrong with the metrics to come; None where nothing is. Call begin first.

        Validation items alone are no reason: a user who was too new to be split was trained on whole, and is asked for
        one of those items now.
        """
        of_validation, of_test = (self._facts[f"{name}_items_run_was_trained_on"] for name in ("validation", "test"))
        if not of_test:
            return None
        return (
            f"{self._run.path} was trained on {of_validation:,} of the validation items and {of_test:,} of the test "
            "items: their metrics are too good. Give a RUN of an earlier log and of the same --split."
        )

    def describe(self, trained: "Trained") -> dict[str, Any]:
        """Return what warm_start.json holds. Call begin first."""
        kept = self._match.old_ids > 0
        moved = movement.moved_share(self._old[kept], np.asarray(trained.model.item_table, np.float32)[kept])
        best = trained.epochs[trained.best_epoch - 1].validation
        return {
            **self._facts,
            "validation_before": trained.before,
            "validation_after": best,
            "moved_share": moved,
        }


def recorded(run: "Run | None", stay_near: float = 0.0) -> WarmStartConfig | None:
    """Return what config.json says about the RUN that a training started from; None where it began at random."""
    return None if run is None else WarmStartConfig(run_sha256=run.sha256(), stay_near=stay_near)


def changed(facts: dict[str, Any]) -> str:
    """Return what a warm start changed, as a sentence, from the content of warm_start.json."""
    before, after = (facts[name]["ndcg@10"] for name in ("validation_before", "validation_after"))
    return (
        f"validation NDCG@10 went from {before:.4f} to {after:.4f}; {facts['moved_share']:.1%} of the kept items' "
        "entries of the item table moved by more than half an int8 step."
    )
