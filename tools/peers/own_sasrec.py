"""Train sasrec-edge's SASRec on a log, with a preset; what is not given is the preset's."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from record import Recorder, parser

from sasrec_train import config, datasets
from sasrec_train.training import loop


class TimeUpError(Exception):
    """Ends a run whose time is over."""


def main() -> None:
    options = parser(__doc__, dropout=None, learning_rate=None, batch_size=None)
    options.add_argument("--preset", default="modern", choices=config.PRESETS)
    options.set_defaults(epochs=None)
    options = options.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    log = datasets.load(str(options.log))
    model_config, train_config = configure(options, log.n_items)
    lengths = np.where(log.histories.lengths >= 3, log.histories.lengths - 2, log.histories.lengths)
    trained = np.minimum(lengths, model_config.max_len + 1) if train_config.windows == "last" else lengths
    recorder = Recorder(
        options,
        "sasrec-edge",
        ("tensorflow", "numpy"),
        interactions=int(lengths.sum()),
        targets=int(np.maximum(trained - 1, 0).sum()),
        rows=int((trained > 1).sum()),
    )
    try:
        train(log, model_config, train_config, recorder)
    except TimeUpError:
        return


def configure(options, n_items: int):
    model = {
        "hidden_dim": options.hidden_dim,
        "ffn_dim": options.hidden_dim,
        "num_blocks": options.blocks,
        "num_heads": options.heads,
        "max_len": options.max_len,
        "dropout_rate": options.dropout,
    }
    recipe = {
        "batch_size": options.batch_size,
        "learning_rate": options.learning_rate,
        "epochs": options.epochs,
        "seed": options.seed,
        "validation_users": 0,  # all of them, as for the peers
    }
    model, recipe = ({name: value for name, value in given.items() if value is not None} for given in (model, recipe))
    return config.preset(options.preset, n_items=n_items, model=model, train=recipe)


def train(log, model_config, train_config, recorder) -> None:
    """Call sasrec-edge: the only place that knows how."""

    def on_epoch(epoch):
        metrics = {name: epoch.validation[name] for name in ("ndcg@10", "hr@10")}
        recorder.epoch(epoch.epoch, 1.0, epoch.loss, lambda: metrics, seconds=epoch.seconds)
        if recorder.spent():
            raise TimeUpError
        recorder.resume()

    recorder.resume()
    loop.train(log, model_config, train_config, on_epoch=on_epoch)


if __name__ == "__main__":
    main()
