"""One training step as a compiled function, and the weights that are evaluated."""

from typing import Any

import tensorflow as tf  # noqa: TID251 - the training graph is built here

from sasrec_train import loss_registry
from sasrec_train.config import TrainConfig
from sasrec_train.network.model import SASRec
from sasrec_train.training.distribute import ALONE, Workers
from sasrec_train.training.losses.inputs import LossInputs
from sasrec_train.training.row_adam import LearningRate, RowAdam, WeightAdam
from sasrec_train.training.start import MAX_STEP, Moments, Start

__all__ = ["Trainer"]


class Trainer:
    """Takes training steps on a network.

    Args:
        network: The network; its weights change with every step.
        config: How it is trained; its loss resolved.
        total_steps: Steps of the whole run, for the schedule.
        positions_per_batch: Mean trained positions of a step; the summed loss is divided by it.
        log_probabilities: (V,), see Batches.log_probabilities; None where nothing is shared.
        workers: The training workers.
        start: The state to begin with; None: the network's own weights.
    """

    def __init__(
        self,
        network: SASRec,
        config: TrainConfig,
        *,
        total_steps: int,
        positions_per_batch: float,
        log_probabilities: Any = None,
        workers: Workers = ALONE,
        start: Start | None = None,
    ):
        self.network = network
        self.config = config
        self._workers = workers
        self._step = tf.Variable(0, dtype=tf.int32, trainable=False, name="step")
        self._loss_sum = tf.Variable(0.0, trainable=False, name="loss_sum")
        self._positions_per_batch = positions_per_batch
        self._log_probabilities = None if log_probabilities is None else tf.constant(log_probabilities)
        # A loss over the whole table and a penalty on it give every row a gradient.
        loss = loss_registry.LOSSES[config.loss]
        self._summed_loss = loss.summed
        self._whole_table = loss.whole_table or network.config.embedding_l2 > 0
        table = network.item_embedding.embeddings
        weights = [weight.value for weight in network.trainable_variables if weight is not table]
        moments = None if start is None else start.moments
        rate = LearningRate(config, total_steps, 0 if moments is None else moments.step)
        self._rows = RowAdam(table.value, rate, config.average)
        self._weights = WeightAdam(weights, rate, config.average)
        self._earlier = rate.earlier
        self._near = self._is_near = None
        self._stay_near = 0.0
        if start is not None:
            self._begin(start)
        ids = tf.TensorSpec((None, None), tf.int32)
        each = tf.TensorSpec((None,), tf.int32)
        own = config.samples and config.negatives == "position"
        negatives = tf.TensorSpec((None, None, config.num_negatives), tf.int32) if own else each
        self.signature = [each, ids, ids, ids, ids, negatives]
        """Of a batch's arrays, in the order of Batch."""
        self._run = workers.compile(self._train_step, self.signature)

    def __call__(self, *batch: Any) -> None:
        """Take one step with the arrays of a Batch, in its order."""
        self._run(*batch)

    def _begin(self, start: Start) -> None:
        """Take over weights and moments. The table comes first in both, then the other weights in their order."""
        for weight, value in zip(self.network.trainable_variables, start.weights, strict=True):
            weight.assign(value)
        if start.moments is not None:
            first, second = (self._table_first(each) for each in (start.moments.first, start.moments.second))
            self._rows.resume(first[0], second[0])
            self._weights.resume(first[1:], second[1:])
        if start.stay_near and start.near is not None and start.is_near is not None:
            self._stay_near = start.stay_near
            self._near = tf.constant(start.near)
            self._is_near = tf.constant(start.is_near.astype("float32"))

    def _table_first(self, values: list[Any]) -> list[Any]:
        """Return values in the order of trainable_variables with that of the item table first."""
        table = self.network.item_embedding.embeddings
        is_table = [weight is table for weight in self.network.trainable_variables]
        return [values[is_table.index(True)], *(v for v, mine in zip(values, is_table, strict=True) if not mine)]

    def moments(self) -> Moments:
        """Return the state of Adam. Call catch_up first."""
        table = self.network.item_embedding.embeddings
        first, second = iter(self._weights.first), iter(self._weights.second)
        of_all = [
            (self._rows.first, self._rows.second) if weight is table else (next(first), next(second))
            for weight in self.network.trainable_variables
        ]
        return Moments(
            step=min(int(self._step) + self._earlier, MAX_STEP),
            first=[moment.numpy() for moment, _ in of_all],
            second=[moment.numpy() for _, moment in of_all],
        )

    def take_loss(self) -> float:
        """Return the sum of the steps' losses since this was last called; a step's is the mean of a position."""
        loss = float(self._loss_sum)
        self._loss_sum.assign(0.0)
        return loss

    @property
    def state(self) -> dict[str, Any]:
        """Every variable that the next step depends on, by name."""
        groups = {
            "network": [weight.value for weight in self.network.variables],
            "table": self._rows.variables,
            "weights": self._weights.variables,
            "count": [self._step, self._loss_sum],
        }
        return {f"{group}/{i}": variable for group, each in groups.items() for i, variable in enumerate(each)}

    def _train_step(
        self, item_ids: Any, history: Any, targets: Any, segments: Any, positions: Any, negatives: Any
    ) -> None:
        step = self._step.assign_add(1)
        if self._whole_table:
            item_ids = tf.range(self.network.config.n_items + 1)
        rows, state = self._rows.read(item_ids, step)
        weights = self._weights.weights
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([rows, *weights])
            loss = self._loss(rows, item_ids, history, targets, segments, positions, negatives)
        gradients = tape.gradient(loss, [rows, *weights], unconnected_gradients="zero")
        loss, *gradients = self._workers.sum([loss, *map(tf.convert_to_tensor, gradients)])
        self._rows.apply(item_ids, rows, state, gradients[0], step)
        self._weights.apply(gradients[1:], step)
        self._loss_sum.assign_add(loss)

    def _loss(
        self, rows: Any, item_ids: Any, history: Any, targets: Any, segments: Any, positions: Any, negatives: Any
    ) -> Any:
        vectors = self.network.item_vectors(rows)

        def row_of(ids: Any) -> Any:  # ids to rows of `vectors`
            if self._whole_table:
                return ids
            return tf.reshape(tf.searchsorted(item_ids, tf.reshape(ids, [-1])), tf.shape(ids))

        embedded = tf.gather(vectors, row_of(history))  # (R, T, D)
        hidden = self.network.transform(embedded, segments, positions, training=True)
        trained = targets > 0
        hidden = tf.boolean_mask(hidden, trained)  # (P, D)
        targets = tf.boolean_mask(targets, trained)
        if negatives.shape.rank == 3:
            negatives = tf.boolean_mask(negatives, trained)
        inputs = LossInputs(
            hidden=hidden,
            targets=targets,
            negatives=negatives,
            item_vectors=lambda ids: tf.gather(vectors, row_of(ids)),
            table=vectors if self._whole_table else None,
            log_probabilities=self._log_probabilities,
            n_items=self.network.config.n_items,
            config=self.config,
        )
        return (
            self._summed_loss(inputs) / self._positions_per_batch
            + self._penalty(rows)
            + self._distance(vectors, item_ids)
        )

    def _penalty(self, rows: Any) -> Any:
        l2 = self.network.config.embedding_l2
        if not l2:
            return 0.0
        squares = tf.reduce_sum(tf.square(rows))
        if self.network.config.positions == "learned":
            squares += tf.reduce_sum(tf.square(self.network.position_embedding.embeddings))
        return l2 * squares / self._workers.count  # each worker adds it, and all are summed

    def _distance(self, vectors: Any, item_ids: Any) -> Any:
        """Return the penalty on the distance of the item vectors from those the training stays near to.

        Only of the rows that the step reads: the others get no gradient, as RowAdam wants it. So an item is pulled as
        often as it is read; where the loss reads the whole table, in every step.
        """
        if not self._stay_near:
            return 0.0
        squares = tf.reduce_sum(tf.square(vectors - tf.gather(self._near, item_ids)), axis=-1)
        return self._stay_near * tf.reduce_sum(squares * tf.gather(self._is_near, item_ids)) / self._workers.count

    def copy_weights(self, evaluated: SASRec) -> None:
        """Copy the weights, or their EMA where there is one, to another network of the same configuration.

        Call catch_up first.
        """
        table = self.network.item_embedding.embeddings
        of_rest = iter(self._weights.averaged(self._step))
        for weight, mine in zip(evaluated.trainable_variables, self.network.trainable_variables, strict=True):
            weight.assign(self._rows.averaged(self._step) if mine is table else next(of_rest))

    @tf.function(input_signature=[])  # type: ignore[untyped-decorator] # TensorFlow has no types
    def catch_up(self) -> None:
        """Bring every row of the item table up to date with the last step.

        All workers do it at the same step: it rounds, and their weights must stay equal.
        """
        self._rows.catch_up(self._step)
