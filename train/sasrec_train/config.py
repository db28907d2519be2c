"""What a training run is made of: the network, the training configuration, and the named presets of both."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from sasrec_train import loss_registry
from sasrec_train.adaptive import NOTHING, Adapted
from sasrec_train.errors import ConfigError

__all__ = ["ADAPTIVE", "PRESETS", "ModelConfig", "TrainConfig", "model_config", "preset", "train_config"]

# Bounds far beyond what is of use, and below what overflows or fills any memory.
MAX_LEARNING_RATE = 1.0
Positive = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 2)]
Width = Annotated[int, msgspec.Meta(ge=1, le=2**16)]
Config = TypeVar("Config", "ModelConfig", "TrainConfig")
Share = Annotated[float, msgspec.Meta(ge=0.0, lt=1.0)]


class ModelConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The SASRec network. Every field is part of the saved model."""

    n_items: Positive
    """Catalogue size without the padding id; item ids are 1…n_items."""
    max_len: Width = 50
    """Sequence length T, in items: how much of a history the network sees."""
    hidden_dim: Width = 64
    """Width D of item embeddings and hidden states."""
    num_blocks: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 2
    """Self-attention blocks."""
    num_heads: Width = 2
    """Attention heads; must divide hidden_dim."""
    ffn_dim: Width = 64
    """Inner width of the point-wise feed-forward network."""
    dropout_rate: Share = 0.3
    """Dropout on embeddings, attention weights and block outputs."""
    norm: Literal["pre", "post", "paper"] = "pre"
    """Where layer norms sit. `paper`: Kang & McAuley's code, which adds the residual to the *normalised* query."""
    final_norm: bool = True
    """A layer norm after the last block."""
    trainable_norms: bool = True
    """Whether layer norms have a trained scale and offset."""
    positions: Literal["learned", "sinusoidal"] = "learned"
    """Position embeddings, counted from the newest item."""
    causal: bool = True
    """Causal mask: position t sees positions ≤ t. Without it only the newest position is trained."""
    scale_embeddings: bool = True
    """Multiply item embeddings by √D before the positions are added."""
    output_projection: bool = True
    """A linear layer after attention, as in the Transformer; the SASRec code has none."""
    activation: Literal["relu", "gelu", "silu", "tanh"] = "relu"
    """Activation inside the feed-forward network."""
    similarity: Literal["dot", "cosine"] = "dot"
    """How a hidden state is scored against an item: their product, or the cosine of their angle over `temperature`.
    With `cosine` all item vectors have length 1, where they are read and where they are scored."""
    temperature: Annotated[float, msgspec.Meta(ge=1e-6, le=1e6)] = 0.08
    """What cosines are divided by, so that scores reach from -1 / temperature to 1 / temperature."""
    embedding_l2: Annotated[float, msgspec.Meta(ge=0.0, le=1e3)] = 0.0
    """L2 penalty on the item and position embeddings."""

    def __post_init__(self) -> None:
        if self.hidden_dim % self.num_heads:
            raise ConfigError(
                f"num_heads is {self.num_heads}, expected a divisor of hidden_dim ({self.hidden_dim}). "
                "Choose --heads so that it divides --hidden-dim."
            )


class TrainConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the network is trained."""

    loss: str = loss_registry.AUTO
    """Name of a loss in loss_registry.LOSSES, or `auto`: cross_entropy up to MAX_FULL_SOFTMAX items, sampled_softmax
    above."""
    num_negatives: Positive = 1
    """Negatives, for the losses that sample them."""
    negatives: Literal["position", "step"] = "position"
    """`position`: each position draws its own, outside the user's history. `step`: all positions of a step share them,
    and one equal to a position's target is masked there."""
    negative_sampling: Literal["uniform", "popularity"] = "uniform"
    """How shared negatives are drawn; `popularity`: in proportion to the training count + 1."""
    gbce_calibration: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.75
    """t of `gbce`: 0 is plain binary cross-entropy, 1 full calibration."""
    windows: Literal["all", "last"] = "all"
    """`all`: a long history is cut into windows at a random offset each epoch. `last`: its newest window only."""
    epochs: Positive = 60
    """Passes over the training windows, or up to so many where patience ends them earlier."""
    min_steps: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 2)] = 0
    """Steps below which more epochs are added: small logs have few steps in an epoch."""
    patience: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 2)] = 10
    """Epochs without a better validation NDCG@10 after which training stops; 0: it never does."""
    validation_users: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 2)] = 5000
    """Most users that are evaluated after each epoch, the same ones each time; 0: all."""
    batch_size: Positive = 128
    """Windows or positions of a step, see batch_unit."""
    batch_unit: Literal["windows", "positions"] = "windows"
    """What batch_size counts. Positions make a step the same work whatever the histories' lengths."""
    learning_rate: Annotated[float, msgspec.Meta(gt=0.0, le=MAX_LEARNING_RATE)] = 1e-3
    """Adam's learning rate, the first one where it decays. Each step moves every weight by about so much."""
    schedule: Literal["constant", "cosine"] = "cosine"
    """`cosine`: the learning rate falls to 5 % of the first over all epochs."""
    average: Share = 0.0
    """EMA decay of the weights: their exponential moving average is evaluated and saved in their place; 0: none."""
    beta_2: Share = 0.98
    """Adam's decay of the second moment."""
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] = 0
    """Seed of the initial weights, dropout, window offsets and negatives."""

    def __post_init__(self) -> None:
        if self.loss not in loss_registry.names():
            raise ConfigError(
                f"loss is {self.loss!r:.80}, expected one of {', '.join(loss_registry.names())}. Choose one of them."
            )
        if self.negatives == "position" and self.negative_sampling != "uniform":
            raise ConfigError(
                f"negative_sampling is {self.negative_sampling!r} where each position draws its own negatives, "
                "expected 'uniform'. Add --negative-sampling uniform or --negatives-per step."
            )

    @property
    def samples(self) -> bool:
        """Whether the loss reads negatives. `auto` has to be resolved first."""
        return self.loss != loss_registry.AUTO and loss_registry.LOSSES[self.loss].samples

    def resolved(self, n_items: int) -> "TrainConfig":
        """Return the configuration with the loss that `auto` stands for on a catalogue of that size."""
        if self.loss != loss_registry.AUTO:
            return self
        return msgspec.structs.replace(self, loss=loss_registry.automatic(n_items))


PRESETS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    # ZiyaoGeng/RecLearn's SASRec, with its defects fixed (causal mask on, keys masked, loss on logits).
    "seed": {
        "model": {
            "max_len": 40, "hidden_dim": 50, "num_blocks": 1, "num_heads": 1, "ffn_dim": 128, "dropout_rate": 0.0,
            "norm": "post", "final_norm": False, "scale_embeddings": False, "output_projection": False,
            "embedding_l2": 1e-6,
        },
        "train": {
            "loss": "binary_cross_entropy", "batch_size": 512, "beta_2": 0.999, "schedule": "constant",
            "windows": "last",
        },
    },
    # Kang & McAuley 2018 and their code: the settings for sparse data sets.
    "paper": {
        "model": {
            "max_len": 50, "hidden_dim": 50, "num_blocks": 2, "num_heads": 1, "ffn_dim": 50, "dropout_rate": 0.5,
            "norm": "paper", "output_projection": False,
        },
        "train": {
            "loss": "binary_cross_entropy", "windows": "last", "epochs": 200, "patience": 20, "schedule": "constant",
        },
    },
    # What measures best over four data sets (docs/design-notes.md): pre-norm, cosines, softmax, averaged weights.
    "modern": {
        "model": {"dropout_rate": 0.3, "similarity": "cosine"},
        "train": {
            "loss": "auto", "num_negatives": 2048, "negatives": "step", "negative_sampling": "popularity",
            "epochs": 20, "min_steps": 3700, "patience": 0, "batch_size": 1024, "batch_unit": "positions",
            "learning_rate": 2e-3, "schedule": "cosine", "average": 0.995,
        },
    },
}  # fmt: skip


ADAPTIVE = frozenset({"modern"})
"""Presets that look at the log. The others are what somebody published."""


def preset(
    name: str,
    *,
    n_items: int,
    model: Mapping[str, Any] | None = None,
    train: Mapping[str, Any] | None = None,
    adapted: Adapted | None = None,
) -> tuple[ModelConfig, TrainConfig]:
    """Return the configurations of a preset, with the given fields in place of its own.

    Args:
        name: A key of PRESETS.
        n_items: Catalogue size without the padding id.
        model: Fields of ModelConfig that replace the preset's.
        train: Fields of TrainConfig that replace the preset's.
        adapted: What `adaptive.adapt` makes of the log; read by the presets in ADAPTIVE only.

    Raises:
        ConfigError: There is no preset of that name, or a field is unknown or out of its range.
    """
    if name not in PRESETS:
        raise ConfigError(f"preset is {name!r}, expected one of {', '.join(PRESETS)}.")
    chosen = PRESETS[name]
    of_log = adapted if adapted is not None and name in ADAPTIVE else NOTHING
    train_fields = {**chosen["train"], **of_log.train, **(train or {})}
    if "epochs" in (train or {}) and "min_steps" not in (train or {}):
        train_fields["min_steps"] = 0  # --epochs alone means exactly so many
    training = train_config(train_fields, n_items=n_items)
    return model_config({**chosen["model"], **of_log.model, **(model or {}), "n_items": n_items}), training


def model_config(fields: Mapping[str, Any]) -> ModelConfig:
    """Return the network of these fields.

    Raises:
        ConfigError: A field is unknown or out of its range.
    """
    return _convert(fields, ModelConfig)


def train_config(fields: Mapping[str, Any], *, n_items: int) -> TrainConfig:
    """Return the training configuration of these fields, its loss resolved for a catalogue of that size.

    Raises:
        ConfigError: A field is unknown or out of its range.
    """
    return _convert(fields, TrainConfig).resolved(n_items)


def _convert(fields: Mapping[str, Any], kind: type[Config]) -> Config:
    try:
        return msgspec.convert(dict(fields), kind)
    except msgspec.ValidationError as error:
        # msgspec wraps what __post_init__ raises; ours is already a whole sentence.
        if isinstance(error.__cause__, ConfigError):
            raise error.__cause__ from None
        seen = _seen(fields, str(error))
        raise ConfigError(f"configuration: {error}{seen}. Change the option of that name.") from error


def _seen(fields: Mapping[str, Any], message: str) -> str:
    """Return what the field that a message of msgspec names was, where it names one."""
    name = message.rpartition("$.")[2].rstrip("`")
    return f", where {fields[name]!r:.80} was given" if name in fields else ""
