"""golden.json of a new bundle: real histories, and what each variant answers to them."""

import numpy as np

from sasrec_runtime.bundle import Bundle
from sasrec_runtime.checks import golden
from sasrec_runtime.checks.golden import Case, Golden
from sasrec_runtime.engines import contract
from sasrec_train.split import HeldOut

__all__ = ["record"]

RANDOM_CASES = 5
CANDIDATES = 10
K = 10


def record(bundle: Bundle, held_out: HeldOut, *, seed: int = 0) -> Golden:
    """Return the golden cases of a bundle, answered by each of its variants.

    The shortest and the longest history are among them, one that fills the network's window or comes nearest to it,
    and some at random; every other case excludes its own history.

    Args:
        bundle: Variants and vocabulary are complete.
        held_out: Users with their histories and held-out items.
        seed: Of the sample.
    """
    rng = np.random.default_rng(seed)
    n_items, max_len = bundle.manifest.model.n_items, bundle.manifest.model.max_len
    k = min(K, n_items, *(variant.fixed_k or n_items for variant in bundle.manifest.variants))
    lengths = held_out.histories.lengths
    rows = {
        "shortest history": int(lengths.argmin()),
        "longest history": int(lengths.argmax()),
        "fullest window": int(np.argmin(np.abs(lengths - max_len))),
    }
    chosen = rng.choice(len(lengths), min(RANDOM_CASES, len(lengths)), replace=False)
    rows |= {f"history {number}": int(row) for number, row in enumerate(np.sort(chosen), 1)}
    cases = []
    for number, (name, row) in enumerate(rows.items()):
        history_ids = held_out.histories[row].tolist()
        cases.append(
            Case(
                name=name,
                history=[bundle.vocabulary.key(item_id) for item_id in history_ids],
                history_ids=history_ids,
                exclude_ids=history_ids if number % 2 == 0 else [],
                k=k,
                candidate_ids=[int(held_out.targets[row]), *rng.integers(1, n_items + 1, CANDIDATES).tolist()],
                answers={},
            )
        )
    for variant in bundle.manifest.variants:
        opened = contract.open_session(bundle, variant)
        for case in cases:
            case.answers[variant.name] = golden.answer(opened, bundle.vocabulary, case)
    return Golden(format_version=golden.GOLDEN_VERSION, cases=cases)
