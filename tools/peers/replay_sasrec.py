"""RePlay's compiled SASRec as a process that answers timing requests: a JSON line in, a JSON line out.

Runs in RePlay's own environment (`make peers-replay`); tools/bench_peers.py starts it and takes turns with it.
"""

import argparse
import json
import sys
import time
import warnings
from importlib import metadata

warnings.filterwarnings("ignore")

import torch
from replay.data import FeatureHint, FeatureType
from replay.data.nn import TensorFeatureInfo, TensorSchema
from replay.models.nn.sequential.sasrec import SasRec
from replay.models.nn.sequential.compiled import SasRecCompiled  # isort: skip

VERSIONS = ("replay-rec", "openvino", "torch")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--items", type=int, required=True)
    options.add_argument("--max-len", type=int, default=50)
    options.add_argument("--hidden-dim", type=int, default=64)
    options.add_argument("--blocks", type=int, default=2)
    options.add_argument("--batch", type=int, default=0, help="rows of the batch mode; 0: leave it out")
    options = options.parse_args()
    torch.set_num_threads(1)
    answers = sys.stdout
    sys.stdout = sys.stderr  # lightning prints
    started = time.perf_counter()
    one = compiled(options, mode="one_query")
    load_s = time.perf_counter() - started
    many = compiled(options, mode="batch", batch_size=options.batch) if options.batch else None
    say(answers, {"ready": True, "load_s": load_s, "versions": {name: metadata.version(name) for name in VERSIONS}})
    for line in sys.stdin:
        request = json.loads(line)
        model = one if len(request["histories"]) == 1 else many
        started = time.perf_counter()
        items = recommend(model, request["histories"], options, request["k"])
        say(answers, {"seconds": time.perf_counter() - started, "items": len(items[0])})


def compiled(options, **mode):
    torch.manual_seed(0)
    item = TensorFeatureInfo(
        "item_id",
        FeatureType.CATEGORICAL,
        is_seq=True,
        cardinality=options.items,
        padding_value=options.items,
        embedding_dim=options.hidden_dim,
        feature_hint=FeatureHint.ITEM_ID,
    )
    model = SasRec(
        TensorSchema([item]),
        max_seq_len=options.max_len,
        hidden_size=options.hidden_dim,
        block_count=options.blocks,
        head_count=1,
    )
    return SasRecCompiled.compile(model.eval(), num_threads=1, **mode)


def recommend(model, histories, options, k):
    """From ids to the best ids, as an application would call it."""
    rows = torch.full((len(histories), options.max_len), options.items, dtype=torch.long)
    mask = torch.zeros((len(histories), options.max_len), dtype=torch.bool)
    for row, ids in enumerate(histories):
        rows[row, -len(ids) :] = torch.tensor(ids) - 1
        mask[row, -len(ids) :] = True
    batch = {"query_id": torch.arange(len(histories)), "padding_mask": mask, "feature_tensor": {"item_id": rows}}
    return torch.topk(model.predict(batch), k).indices.tolist()


def say(stream, message):
    stream.write(json.dumps(message) + "\n")
    stream.flush()


if __name__ == "__main__":
    main()
