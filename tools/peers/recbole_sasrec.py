"""Train RecBole's SASRec on a log: its own data set, loader, model and training epoch; our clock and our ranking.

RecBole makes a row of every prefix of a history. --batch-size counts those rows; its default is RecBole's.
Everything else is RecBole's default, but for the width of the feed-forward network (--inner-size), which the others
have no wider than the hidden state.
"""

import contextlib
import logging
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from held_out import Validation, read
from record import Recorder, parser

DATA = "log"  # The name RecBole is given for the data set.
EVALUATED_AT_ONCE = 256


def main() -> None:
    options = parser(__doc__, dropout=0.5, learning_rate=1e-3, batch_size=2048)
    options.add_argument(
        "--inner-size", type=int, default=None, help="feed-forward width; --hidden-dim where not given"
    )
    options = options.parse_args()
    sys.argv = sys.argv[:1]  # RecBole reads it, too
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore")
    log = read(options.log)
    options.out = options.out.resolve()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):  # RecBole writes where it stands
        train(options, log, Path(folder))


def train(options, log, folder: Path) -> None:
    from recbole.data import create_dataset
    from recbole.data.utils import get_dataloader
    from recbole.model.sequential_recommender import SASRec
    from recbole.trainer import Trainer
    from recbole.utils import init_seed

    write_atomic_files(log, folder / DATA)
    config = configure(options, folder)
    logging.disable(logging.INFO)
    init_seed(config["seed"], config["reproducibility"])
    dataset = create_dataset(config)
    tokens = dataset.field2token_id["item_id"]
    own_ids = np.array([0] + [tokens[str(item_id)] for item_id in range(1, log.n_items + 1)])
    training, *_ = dataset.build()
    loader = get_dataloader(config, "train")(config, training, None, shuffle=config["shuffle"])
    # Importing RecBole's sequential models turns autograd's anomaly detection on (in sine.py): a tenth slower, or more.
    torch.autograd.set_detect_anomaly(False)
    model = SASRec(config, training).to(config["device"])
    trainer = Trainer(config, model)
    validation = Validation(log)
    inputs, lengths = (torch.from_numpy(array) for array in validation.inputs(options.max_len, own_ids, left=False))

    def judge():
        model.eval()
        with torch.no_grad():
            parts = zip(inputs.split(EVALUATED_AT_ONCE), lengths.split(EVALUATED_AT_ONCE), strict=True)
            vectors = torch.cat([model(items, length) for items, length in parts])
        return validation.metrics(vectors.numpy(), model.item_embedding.weight.detach().numpy(), own_ids)

    recorder = Recorder(
        options,
        "recbole",
        ("torch", "numpy"),
        interactions=log.train_interactions,
        targets=len(training),
        rows=len(training),
    )
    for number in range(1, options.epochs + 1):
        batches = UntilSpent(loader, recorder)
        recorder.resume()
        loss = trainer._train_epoch(batches, number - 1)
        recorder.pause()
        if recorder.epoch(number, batches.steps / len(loader), loss / batches.steps, judge):
            break


class UntilSpent:
    """A loader's batches, until training has taken its time."""

    def __init__(self, loader, recorder):
        self.loader = loader
        self.recorder = recorder
        self.steps = 0

    def __iter__(self):
        for batch in self.loader:
            yield batch
            self.steps += 1
            if self.recorder.spent():
                return


def write_atomic_files(log, folder: Path) -> None:
    """Write the training part, and all items: those held out everywhere belong to the catalogue, too."""
    folder.mkdir()
    rows = ["user_id:token\titem_id:token\ttimestamp:float"]
    rows += [f"{user}\t{item}\t{place}" for user, item, place in zip(*log.train(), strict=True)]
    (folder / f"{DATA}.inter").write_text("\n".join(rows) + "\n", encoding="utf-8")
    items = "\n".join(str(item_id) for item_id in range(1, log.n_items + 1))
    (folder / f"{DATA}.item").write_text(f"item_id:token\n{items}\n", encoding="utf-8")


def configure(options, folder: Path):
    from recbole.config import Config

    settings = {
        "data_path": str(folder),
        "checkpoint_dir": str(folder / "saved"),
        "load_col": {"inter": ["user_id", "item_id", "timestamp"], "item": ["item_id"]},
        # Validation and test never get to RecBole: what it is given is all for training.
        "eval_args": {"split": {"RS": [1, 0, 0]}, "group_by": "none", "order": "TO", "mode": "full"},
        "train_neg_sample_args": None,  # softmax over the catalogue, RecBole's default loss, draws none
        "MAX_ITEM_LIST_LENGTH": options.max_len,
        "train_batch_size": options.batch_size,
        "learning_rate": options.learning_rate,
        "epochs": options.epochs,
        "n_layers": options.blocks,
        "n_heads": options.heads,
        "hidden_size": options.hidden_dim,
        "inner_size": options.inner_size or options.hidden_dim,
        "hidden_dropout_prob": options.dropout,
        "attn_dropout_prob": options.dropout,
        "seed": options.seed,
        "use_gpu": False,
        "show_progress": False,
        "state": "ERROR",
    }
    return Config(model="SASRec", dataset=DATA, config_dict=settings)


if __name__ == "__main__":
    main()
