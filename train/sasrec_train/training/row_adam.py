"""Row-sparse Adam, equivalent to dense Adam: a step touches only the rows of the item table that it reads.

Adam (Kingma & Ba 2015, arXiv 1412.6980) with gradient g: ``m ← β₁ m + (1 - β₁) g``, ``v ← β₂ v + (1 - β₂) g²``,
``w ← w - α_t m / (√v + ε)`` with ``α_t = lr √(1 - β₂ᵗ) / (1 - β₁ᵗ)``, the order of operations of its section 2.
"""

import math
from typing import Any

import tensorflow as tf  # noqa: TID251 - the training graph is built here

from sasrec_train.config import TrainConfig

__all__ = ["LearningRate", "RowAdam", "WeightAdam"]

BETA_1 = 0.9
EPSILON = 1e-7
LAST_RATE = 0.05  # Of the first learning rate, at the end of a cosine schedule.
CHUNK = 2**16  # Rows brought up to date at once.


class LearningRate:
    """The learning-rate schedule of a run, and Adam's step sizes α from it.

    Args:
        config: Learning rate, schedule and β₂.
        total_steps: Steps after which a cosine schedule ends.
        earlier: Steps that the moments have seen before this run; they count in Adam's bias corrections, not in the
            schedule.
    """

    def __init__(self, config: TrainConfig, total_steps: int, earlier: int = 0):
        self.beta_2 = config.beta_2
        self.earlier = earlier
        self._first = config.learning_rate
        self._total = max(1, total_steps)
        self._cosine = config.schedule == "cosine"

    def __call__(self, step: Any) -> Any:
        """Return α of steps numbered from 1, float32 of any shape: the learning rate × √(1 - β₂ᵗ) / (1 - β₁ᵗ)."""
        taken = self.taken(step)
        corrected = tf.sqrt(1.0 - tf.pow(self.beta_2, taken)) / (1.0 - tf.pow(BETA_1, taken))
        return self.learning_rate(step) * corrected

    def taken(self, step: Any) -> Any:
        """Return t, the steps that the moments have seen, float32: those of this run and the earlier ones."""
        return tf.cast(step + self.earlier, tf.float32)

    def learning_rate(self, step: Any) -> Any:
        """Return the schedule's learning rate of steps numbered from 1, float32 of any shape.

        `cosine`: half a period from the first rate down to LAST_RATE of it, without restarts (Loshchilov & Hutter 2017,
        arXiv 1608.03983).
        """
        if not self._cosine:
            return tf.fill(tf.shape(step), self._first)
        done = tf.minimum((tf.cast(step, tf.float32) - 1.0) / self._total, 1.0)
        return self._first * (LAST_RATE + (1.0 - LAST_RATE) * 0.5 * (1.0 + tf.cos(math.pi * done)))


class WeightAdam:
    """Adam on the weights that every step uses, and an exponential moving average (EMA) of them where asked.

    Args:
        weights: tf.Variables of any shape.
        rate: Step sizes.
        average: EMA decay; 0: none.

    keras.optimizers.Adam(use_ema=True) was measured beside it: as fast, and equal within 5e-7 after 20 steps. It is not
    used, because its EMA starts at the weights of the first step, which keep a weight of mᵗ for ever, while this one
    is bias-corrected; because its checkpoints are not these; and because it fails in tf.distribute's replicas with
    gradients that are summed already ("destinations can not be empty").

    Source: Kingma & Ba 2015.
    """

    def __init__(self, weights: list[Any], rate: LearningRate, average: float):
        self.weights = weights
        self._rate = rate
        self._average = average
        self.first = [_zeros(weight, "first_moment") for weight in weights]
        self.second = [_zeros(weight, "second_moment") for weight in weights]
        self.averages = [_zeros(weight, "average") for weight in weights] if average else []

    @property
    def variables(self) -> list[Any]:
        """What a checkpoint must hold, without the weights themselves."""
        return [*self.first, *self.second, *self.averages]

    def apply(self, gradients: list[Any], step: Any) -> None:
        """Take the step of that number, from 1, with one gradient per weight, each of the weight's shape."""
        taken = self._rate.taken(step)
        for weight, first, second, gradient in zip(self.weights, self.first, self.second, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=weight.handle,
                m=first.handle,
                v=second.handle,
                beta1_power=tf.pow(BETA_1, taken),
                beta2_power=tf.pow(self._rate.beta_2, taken),
                lr=self._rate.learning_rate(step),
                beta1=BETA_1,
                beta2=self._rate.beta_2,
                epsilon=EPSILON,
                grad=gradient,
            )
        # The moving average starts at zero and is corrected when it is read, as Adam does with its moments.
        for average, weight in zip(self.averages, self.weights, strict=False):
            average.assign_sub((1.0 - self._average) * (average - weight))

    def averaged(self, step: Any) -> list[Any]:
        """Return the EMA after that many steps, at least 1, or the weights where there is none."""
        if not self.averages:
            return list(self.weights)
        share = _ema_weight(self._average, self._rate.taken(step))
        return [average / share for average in self.averages]

    def resume(self, first: list[Any], second: list[Any]) -> None:
        """Go on with moments that have seen the earlier steps; the EMA goes on from the weights as they are now."""
        for variables, values in ((self.first, first), (self.second, second)):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        share = _ema_weight(self._average, self._rate.taken(0))
        for average, weight in zip(self.averages, self.weights, strict=False):
            average.assign(weight * share)


class RowAdam:
    """Adam on a table of which a step reads some rows: the same result as on all of it, at the cost of those read.

    Under dense Adam a row without gradient still moves, because its moments m and v decay: by r · α m / √v with
    r = β₁ / √β₂ in the first step, by r² · α m / √v in the next, and so on. These moves are known beforehand and are
    applied when the row is next read: g steps sum to α m / √v · r (1 - rᵍ) / (1 - r), a geometric series. The EMA of
    such a row has a closed form too, see `read`. Neglected are ε, and that α changes between the steps.

    Args:
        table: tf.Variable (V, D).
        rate: Step sizes.
        average: EMA decay of the rows; 0: none.

    Source: Kingma & Ba 2015. No library has this: LazyAdam and sparse Adam leave rows without gradient where they are.
    """

    def __init__(self, table: Any, rate: LearningRate, average: float):
        self.table = table
        self._rate = rate
        self._average = average
        self._decay = BETA_1 / math.sqrt(rate.beta_2)  # r above: below 1 for every β₂ > β₁²
        self.first = _zeros(table, "first_moment")
        self.second = _zeros(table, "second_moment")
        self.average = _zeros(table, "average") if average else None
        # The step up to which each row is up to date; int32 (V,).
        self.last = tf.Variable(tf.zeros(table.shape[0], tf.int32), trainable=False, name="last_step")

    @property
    def variables(self) -> list[Any]:
        """What a checkpoint must hold, without the table itself."""
        return [self.first, self.second, self.last, *([] if self.average is None else [self.average])]

    def read(self, ids: Any, step: Any) -> tuple[Any, Any]:
        """Return rows as dense Adam has them before the step of that number, and what `apply` needs.

        Args:
            ids: int32 (U,), different rows.
            step: int32 scalar, from 1.

        Returns:
            float32 (U, D), and moments and averages to hand on.

        With M = α m / √v and R = r / (1 - r), a row is ``w_j = w - M R (1 - rʲ)`` after j steps without gradient. Its
        EMA with decay μ after g of them is ``μᵍ a + (1 - μ) Σ_j μᵍ⁻ʲ w_j``, which sums to
        ``μᵍ a + (1 - μᵍ)(w - M R) + (1 - μ) r / (μ - r) · M R (μᵍ - rᵍ)``.
        """
        rows, first, second = (tf.gather(each, ids) for each in (self.table, self.first, self.second))
        last = tf.gather(self.last, ids)
        gap = tf.cast(step - 1 - last, tf.float32)[:, None]  # g, steps without a gradient of the row; (U, 1)
        move = self._rate(last + 1)[:, None] * first / (tf.sqrt(second) + EPSILON)
        decay = self._decay
        fallen = tf.pow(decay, gap)
        reach = decay / (1.0 - decay)
        now = rows - move * reach * (1.0 - fallen)
        average = None
        if self.average is not None:
            m = self._average
            kept = tf.pow(m, gap)
            end = rows - move * reach  # where the row would come to rest
            curve = (1.0 - m) * decay / (m - decay) * reach * move * (kept - fallen)
            average = kept * tf.gather(self.average, ids) + (1.0 - kept) * end + curve
        # Without a gradient each step only multiplies the moments by their decay.
        moments = (first * tf.pow(BETA_1, gap), second * tf.pow(self._rate.beta_2, gap))
        return now, (*moments, average)

    def apply(self, ids: Any, rows: Any, state: Any, gradient: Any, step: Any) -> None:
        """Take the step of that number with what `read` returned and the gradient, float32 (U, D)."""
        first, second, average = state
        first = BETA_1 * first + (1.0 - BETA_1) * gradient
        second = self._rate.beta_2 * second + (1.0 - self._rate.beta_2) * tf.square(gradient)
        rows = rows - self._rate(step) * first / (tf.sqrt(second) + EPSILON)
        if self.average is not None:
            average = average - (1.0 - self._average) * (average - rows)
        self._write(ids, rows, (first, second, average), step)

    def catch_up(self, step: Any) -> None:
        """Bring every row up to date with that many steps, a chunk at a time, so that memory stays bounded."""
        total = self.table.shape[0]
        for start in tf.range(0, total, CHUNK):
            ids = tf.range(start, tf.minimum(start + CHUNK, total))
            rows, state = self.read(ids, step + 1)
            self._write(ids, rows, state, step)

    def averaged(self, step: Any) -> Any:
        """Return the EMA after that many steps, or the table where there is none. Call catch_up first."""
        if self.average is None:
            return self.table
        return self.average / _ema_weight(self._average, self._rate.taken(step))

    def resume(self, first: Any, second: Any) -> None:
        """Go on with moments (V, D) that have seen the earlier steps; the EMA goes on from the table as it is now."""
        self.first.assign(first)
        self.second.assign(second)
        if self.average is not None:
            self.average.assign(self.table * _ema_weight(self._average, self._rate.taken(0)))

    def _write(self, ids: Any, rows: Any, state: Any, step: Any) -> None:
        for variable, value in zip((self.table, self.first, self.second, self.average), (rows, *state), strict=True):
            if variable is not None:
                variable.scatter_update(tf.IndexedSlices(value, ids))
        self.last.scatter_update(tf.IndexedSlices(tf.fill(tf.shape(ids), step), ids))


def _ema_weight(decay: float, taken: Any) -> Any:
    """Return the total weight 1 - mᵗ of t steps in an EMA of decay m that began at zero: the bias correction."""
    return 1.0 - tf.pow(decay, taken)


def _zeros(like: Any, name: str) -> Any:
    return tf.Variable(tf.zeros(like.shape, tf.float32), trainable=False, name=name)
