"""Answer requests with RePlay's compiled SASRec: one JSON object per line in, one per line out.

{"build": {"n_items": …, "hidden_dim": …, "blocks": …, "heads": …, "max_len": …,
 "rows": …, "threads": …}} → {"ready": true}
{"time": calls, "k": …} → {"ns": [nanoseconds of each call]}: ids in, the k best out, by torch.topk.

Weights are random: they do not change how long a call takes.
"""

import json
import sys
import time
import warnings

import numpy as np
import torch


def main() -> None:
    warnings.simplefilter("ignore")
    call = None
    for line in sys.stdin:
        request = json.loads(line)
        if "build" in request:
            call = build(**request["build"])
            answer = {"ready": True}
        else:
            answer = {"ns": [clock(call, request["k"]) for _ in range(request["time"])]}
        print(json.dumps(answer), flush=True)


def clock(call, k: int) -> int:
    start = time.perf_counter_ns()
    call(k)
    return time.perf_counter_ns() - start


def build(*, n_items: int, hidden_dim: int, blocks: int, heads: int, max_len: int, rows: int, threads: int):
    from replay.data import FeatureHint, FeatureType
    from replay.data.nn import TensorFeatureInfo, TensorFeatureSource, TensorSchema
    from replay.data.nn.schema import FeatureSource
    from replay.models.nn.sequential import SasRec
    from replay.models.nn.sequential.compiled import SasRecCompiled

    torch.set_num_threads(threads)
    item = TensorFeatureInfo(
        name="item_id",
        is_seq=True,
        cardinality=n_items,
        feature_type=FeatureType.CATEGORICAL,
        feature_hint=FeatureHint.ITEM_ID,
        feature_sources=[TensorFeatureSource(FeatureSource.INTERACTIONS, "item_id")],
        embedding_dim=hidden_dim,
    )
    model = SasRec(
        TensorSchema(item), max_seq_len=max_len, hidden_size=hidden_dim, block_count=blocks, head_count=heads
    ).eval()
    options = {"mode": "one_query"} if rows == 1 else {"mode": "batch", "batch_size": rows}
    compiled = SasRecCompiled.compile(model, num_threads=threads, **options)
    history = torch.from_numpy(np.random.default_rng(0).integers(0, n_items, (rows, max_len)))
    batch = {
        "query_id": torch.zeros(rows, 1, dtype=torch.long),
        "padding_mask": torch.ones(rows, max_len, dtype=torch.bool),
        "feature_tensor": {"item_id": history},
    }

    def call(k: int):
        return torch.topk(compiled.predict(batch), k)

    call(10)
    return call


if __name__ == "__main__":
    main()
