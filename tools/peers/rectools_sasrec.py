"""Train RecTools' SASRecModel on a log: its own data preparation, model and Lightning trainer; our clock and ranking.

--batch-size counts users. RecTools learns from the newest max_len + 1 training items of each user, and knows only items
that occur there. Everything that is not an option here is RecTools' default, softmax over its catalogue included.
"""

import logging
import warnings

import numpy as np
import pandas as pd
import pytorch_lightning as lightning
import torch
from held_out import Validation, read
from record import Recorder, parser
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel

EVALUATED_AT_ONCE = 256


def main() -> None:
    options = parser(__doc__, dropout=0.2, learning_rate=1e-3, batch_size=128).parse_args()
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    lightning.seed_everything(options.seed)
    log = read(options.log)
    users, items, places = log.train()
    table = pd.DataFrame({Columns.User: users, Columns.Item: items, Columns.Weight: 1})
    table[Columns.Datetime] = pd.to_datetime(places, unit="s")
    lengths = np.minimum(log.train_lengths, options.max_len + 1)
    recorder = Recorder(
        options,
        "rectools",
        ("torch", "pytorch-lightning", "numpy"),
        interactions=log.train_interactions,
        targets=int(np.maximum(lengths - 1, 0).sum()),
        rows=int((lengths > 1).sum()),
    )

    def trainer():
        return lightning.Trainer(
            max_epochs=options.epochs,
            accelerator="cpu",
            devices=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[Watch(recorder, Validation(log), options.max_len)],
        )

    SASRecModel(
        n_factors=options.hidden_dim,
        n_blocks=options.blocks,
        n_heads=options.heads,
        session_max_len=options.max_len,
        batch_size=options.batch_size,
        dropout_rate=options.dropout,
        lr=options.learning_rate,
        get_trainer_func=trainer,
    ).fit(Dataset.construct(table))


class Watch(lightning.Callback):
    """Runs the clock, ends training when its time is over, and judges the model after an epoch."""

    def __init__(self, recorder, validation, max_len):
        self.recorder = recorder
        self.validation = validation
        self.max_len = max_len
        self.steps = 0
        self.loss = 0.0

    def on_train_start(self, _, module):
        # Items it has not seen keep id 0, which is RecTools' padding.
        known = module.data_preparator.item_id_map.get_external_sorted_by_internal()[1:].astype(np.int64)
        self.own_ids = np.zeros(self.validation.n_items + 1, np.int64)
        self.own_ids[known] = np.arange(1, known.size + 1)
        inputs, lengths = self.validation.inputs(self.max_len, self.own_ids, left=True)
        self.inputs = torch.from_numpy(inputs)
        self.cold = lengths == 0
        self.recorder.resume()

    def on_train_batch_end(self, trainer, _module, outputs, *_):
        self.steps += 1
        self.loss += float(outputs["loss"])
        if self.recorder.spent():
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer, module):
        self.recorder.pause()
        share = self.steps / trainer.num_training_batches
        self.recorder.epoch(trainer.current_epoch + 1, share, self.loss / self.steps, lambda: self.judge(module))
        self.steps, self.loss = 0, 0.0
        self.recorder.resume()

    def judge(self, module):
        net = module.torch_model
        net.eval()
        with torch.no_grad():
            items = net.item_model.get_all_embeddings()
            batches = self.inputs.split(EVALUATED_AT_ONCE)
            vectors = torch.cat([net.encode_sessions({"x": batch}, items)[:, -1] for batch in batches]).numpy()
        net.train()
        vectors[self.cold] = np.nan  # RecTools recommends nothing there
        return self.validation.metrics(vectors, items.numpy(), self.own_ids)


if __name__ == "__main__":
    main()
