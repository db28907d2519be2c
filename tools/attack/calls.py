"""Calls in Python: a million good ones that must obey the laws, and ones with values of wrong types and sizes.

Laws: no padding, nothing excluded, no item twice, min(k, free) items, best first, equal scores by lower id first; a
smaller k gives the start of a larger one; rows of a batch are single answers within the variant's atol.

Example: python tools/attack/calls.py demo/bundle --cases 200
"""

import math
import sys
from pathlib import Path
from typing import Any

import children
import click
import numpy as np
import shell
from tally import options

CALLS = 400
"""Good calls in one case."""

NUMBERS: tuple[Any, ...] = (
    None, 0, -1, 1, 2.0, 2.5, "3", b"3", True, False, float("nan"), float("inf"), 10**20, -(10**20), 2**31, 2**63,
    10**5000, -(10**5000), np.int64(3), np.int8(-1), np.float32(3), np.array(3), np.array([3, 4]), [], {},
    object(), 3 + 0j,
)  # fmt: skip
OPTIONS = ("threads", "spinning", "arena", "providers", "weight_cache", "unknown", "variant")


def odd_lists(keys: list[str]) -> list[Any]:
    """Return what stands where item keys, or lists of them, are wanted; some of it may."""
    return [
        None, 5, 1.5, b"50", "50", object(), [5], [None], [[keys[0]]], {keys[0]: 1}, {keys[0]}, (key for key in keys),
        iter(()), [keys[0], 2.5], [b"50"], np.array(keys), np.arange(5), np.array([["1"]]), [float("nan")],
        ["no such key"], ["\ud800"], ["x" * 1_000_000], keys * 2000, [], (), "", [True], [[]], [{}], keys, [keys, 5],
        [keys, None], [keys, "50"], int, range(3), memoryview(b"123"), bytearray(b"12"), ["a\0b"],
    ]  # fmt: skip


def good_calls(case: children.Case, recommender: Any) -> None:
    """Make random good calls of one variant."""
    rng, manifest = case.rng, recommender.bundle.manifest
    n_items, atol, most = manifest.model.n_items, recommender.variant.atol, recommender.variant.fixed_k
    keys = [recommender.vocabulary.key(item_id) for item_id in range(1, n_items + 1)]
    ids = {key: item_id for item_id, key in enumerate(keys, 1)}

    def history() -> list[str]:
        length = int(rng.choice([1, 2, 5, 20, manifest.model.max_len, manifest.model.max_len + 1, 150]))
        return [keys[i] for i in rng.integers(0, n_items, length)]

    done = 0
    while done < CALLS:
        seen, k = history(), int(rng.choice([1, 2, 10, 50, 100, n_items, int(rng.integers(1, n_items + 1))]))
        k = min(k, most or k)
        exclude = history() if rng.random() < 0.3 else []
        keep = bool(rng.random() < 0.2)
        found = recommender.recommend(seen, k, exclude=exclude, exclude_seen=not keep)
        free = n_items - len(set(exclude) | (set() if keep else set(seen)))
        what = f"history {seen!r:.60}…, {len(exclude)} excluded, k={k}, {recommender.variant.name}"
        obey(case, list(found), ids, set(exclude) | (set() if keep else set(seen)), min(k, free), what)
        short = recommender.recommend(seen, j := int(rng.integers(1, k + 1)), exclude=exclude, exclude_seen=not keep)
        if list(short) != list(found)[:j]:
            case.wrong("prefix law", f"{what}: k={j} differs")
        done += 2
        if rng.random() < 0.05:
            rows = [history() for _ in range(int(rng.choice([2, 8, 9, 33])))]
            done += len(rows)
            for row, batched in zip(rows, recommender.recommend_batch(rows, k), strict=True):
                single = recommender.recommend(row, k)
                obey(case, list(batched), ids, set(row), min(k, n_items - len(set(row))), f"batch: {what}", "batch: ")
                pairs = zip(batched, single, strict=True)
                if any(abs(a.score - b.score) > atol for a, b in pairs):
                    case.wrong("batch is not single", what)
    case.counts(right=done)


def obey(
    case: children.Case, found: list[Any], ids: dict[str, int], excluded: set[str], wanted: int, what: str, at: str = ""
) -> None:
    """Hold an answer against the laws."""
    keys, scores = [item.key for item in found], [item.score for item in found]
    if len(found) != wanted:
        case.wrong(f"{at}number of items", f"{len(found)}, expected {wanted}: {what}")
    if len(set(keys)) < len(keys) or set(keys) & excluded or not set(keys) <= ids.keys():
        case.wrong(f"{at}twice, excluded or unknown", what)
    if not all(map(math.isfinite, scores)) or scores != sorted(scores, reverse=True):
        case.wrong(f"{at}order of scores", what)
    for (a, x), (b, y) in zip(zip(keys, scores, strict=True), zip(keys[1:], scores[1:], strict=True), strict=False):
        if x == y and ids[a] > ids[b]:
            case.wrong(f"{at}order of ties", f"{a} before {b} at {x}: {what}")
            break


def wrong_call(rng: np.random.Generator, bundle: Path, recommender: Any, keys: list[str]) -> tuple[str, Any]:
    """Return one call with wrong values, in words and as a function."""

    def value(choices: Any) -> Any:
        return choices[rng.integers(len(choices))]

    lists = [value(odd_lists(keys)), value(odd_lists(keys))]
    number, budget = value(NUMBERS), value(NUMBERS)
    way = rng.integers(8)
    if way == 0:
        name = str(value(OPTIONS))
        given = number if rng.random() < 0.5 else lists[0]
        words = f"load {name}={in_words(given):.60}"
        from sasrec_runtime import Recommender

        loaded = {name: given}
        if name == "weight_cache" and isinstance(given, str | bytes | bytearray):
            loaded["weight_cache"] = None  # it would be written where it says
        return words, lambda: Recommender.load(bundle, **loaded)
    words = f"{('', 'recommend', 'recommend k', 'exclude', 'batch', 'batch k', 'score', 'score_batch')[way]}"
    calls: dict[int, Any] = {
        1: lambda: recommender.recommend(lists[0], 5),
        2: lambda: recommender.recommend(keys, number),
        3: lambda: recommender.recommend(keys, 5, exclude=lists[0]),
        4: lambda: recommender.recommend_batch(lists[0], 5),
        5: lambda: recommender.recommend_batch([keys] * 9, number, batch_bytes=budget),
        6: lambda: recommender.score(*lists),
        7: lambda: recommender.score_batch(*lists),
    }
    seen = [in_words(given) for given in (number, budget)]
    return f"{words} {lists[0]!r:.60} {lists[1]!r:.60} {' '.join(seen):.60}", calls[int(way)]


def in_words(value: object) -> str:
    return "10**5000" if isinstance(value, int) and abs(value) > 10**100 else repr(value)


@click.command()
@click.argument("bundle", default="demo/bundle", type=click.Path(exists=True, path_type=Path))
@click.option("--share-wrong", default=0.3, show_default=True, help="Share of the cases with wrong values.")
@options(cases=200, limit_s=240)
def main(bundle: Path, share_wrong: float, how: children.How) -> None:
    """Load a random variant of BUNDLE a case, and call it some hundred times."""
    shell.preload()
    from sasrec_runtime import Recommender
    from sasrec_runtime.bundle import Bundle
    from sasrec_runtime.errors import SasrecError

    variants = [variant.name for variant in Bundle.open(bundle).manifest.variants]

    def attempt(case: children.Case) -> None:
        bad = case.rng.random() < share_wrong
        variant = str(case.rng.choice(variants))
        unknown: Any = str(case.rng.choice(["error", "drop", "map"])) if bad else "error"
        case.begins("calls: wrong types and values" if bad else "calls: good ones, laws", variant)
        recommender = Recommender.load(bundle, variant=variant, unknown=unknown)
        if not bad:
            good_calls(case, recommender)
            return
        keys = [recommender.vocabulary.key(item_id) for item_id in range(1, 7)]
        for _ in range(100):
            words, call = wrong_call(case.rng, bundle, recommender, keys)
            case.begins("calls: wrong types and values", f"{variant}, unknown={unknown}: {words}")
            try:
                call()
            except SasrecError:
                case.counts(refused=1)
            except Exception as error:  # noqa: BLE001 - that it came out is what is counted
                case.wrong(type(error).__name__, f"{error!s:.200}")
            else:
                case.counts(right=1)

    sys.exit(children.run(how, attempt))


if __name__ == "__main__":
    main()
