"""The least memory that a network and its training need: what cannot fit is refused before it starts."""

from sasrec_train import memory
from sasrec_train.config import ModelConfig, TrainConfig
from sasrec_train.errors import ConfigError

__all__ = ["refuse_too_large", "step_bytes", "weight_bytes"]

FLOAT_BYTES = 4
WEIGHT_COPIES = 4  # The network that is trained, the one that is evaluated, and Adam's two moments.
ATTENTION_COPIES = 2  # Logits or weights before and after dropout, kept for the gradients.


def weight_bytes(config: ModelConfig) -> int:
    """Return the size of a network's weights in bytes."""
    dim, inner = config.hidden_dim, config.ffn_dim
    dense = (4 if config.output_projection else 3) * (dim * dim + dim) + (dim * inner + inner) + (inner * dim + dim)
    norm = 2 * dim if config.trainable_norms else 0
    count = (config.n_items + 1) * dim + config.num_blocks * (dense + 2 * norm) + (norm if config.final_norm else 0)
    count += config.max_len * dim if config.positions == "learned" else 0
    return FLOAT_BYTES * count


def step_bytes(config: ModelConfig, train_config: TrainConfig, positions: float) -> int:
    """Return what one step keeps for its gradients, in bytes: attention, hidden states and negatives.

    Args:
        config: The network.
        train_config: How it is trained.
        positions: Trained positions of a step.
    """
    padded = max(config.max_len, int(positions))  # positions of the packed rows, at least one row
    attention = ATTENTION_COPIES * padded * config.max_len * config.num_heads * config.num_blocks
    hidden = padded * (config.hidden_dim + config.ffn_dim) * config.num_blocks
    negatives = 0
    if train_config.samples:
        own = train_config.negatives == "position"
        negatives = int(positions) * train_config.num_negatives * (config.hidden_dim + 1 if own else 1)
    return FLOAT_BYTES * (attention + hidden + negatives)


def refuse_too_large(config: ModelConfig, train_config: TrainConfig, positions: float) -> None:
    """Refuse a training that needs more memory than there is, whatever else it needs.

    Raises:
        ConfigError: The message says what is large and which options make it smaller.
    """
    weights, step = WEIGHT_COPIES * weight_bytes(config), step_bytes(config, train_config, positions)
    limit = memory.limit_bytes()
    if weights + step > limit:
        raise ConfigError(
            f"training needs at least {memory.readable(weights)} of memory for the weights and {memory.readable(step)} "
            f"for a step, and there are {memory.readable(limit)}. Lower "
            f"{'--hidden-dim or --ffn-dim' if weights > step else '--max-len, --batch-size or --negatives'}."
        )
