"""Readers load a bundle and ask it while a writer keeps replacing it, by the next model and by another catalogue.

A life is one load with all its calls, some after a while. It must be refused by a SasrecError, or answer in all of its
calls as one and the same model does.

Example: python tools/attack/race.py demo/bundle --seconds 600
"""

import itertools
import math
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import children
import click
import made
import numpy as np
import shell

from sasrec_runtime.errors import SasrecError

PAUSES_S = {"once a second": 1.0, "tens of times a second": 0.03}


def project_staged(out: Path) -> AbstractContextManager[Path]:
    """Return the project's own way to replace a bundle: the one place here that knows its name."""
    from sasrec_runtime import bundle_folder
    from sasrec_runtime.atomic import folder

    return folder.staged(out, bundle_folder.BUNDLE, force=True)


def by_project(live: Path, source: Path) -> None:
    with project_staged(live) as folder:
        shutil.copytree(source, folder, dirs_exist_ok=True)


def by_rename(live: Path, source: Path) -> None:
    """As `mv old away; mv new here` does: for a moment there is nothing."""
    new, old = live.with_name("new"), live.with_name("old")
    shutil.copytree(source, new)
    live.rename(old)
    new.rename(live)
    shutil.rmtree(old)


def by_copying(live: Path, source: Path) -> None:
    """As rsync does: file by file, each whole at once, and files that are too many go at the end."""
    wanted = sorted(path for path in source.rglob("*") if path.is_file())
    for path in wanted:
        target = live / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.tmp")
        shutil.copyfile(path, temporary)
        temporary.replace(target)
    for path in sorted(live.rglob("*")):
        if path.is_file() and not (source / path.relative_to(live)).exists():
            path.unlink()


WAYS: dict[str, Callable[[Path, Path], None]] = {
    "the project's replacing": by_project,
    "two renames": by_rename,
    "copying as rsync does": by_copying,
}
SLICES = list(itertools.product(PAUSES_S, WAYS))


def write(live: Path, sources: list[Path], way: str, pause_s: float) -> None:
    """Replace the live bundle until the reader is gone."""
    reader = os.getppid()
    for source in itertools.cycle(sources):
        WAYS[way](live, source)
        if os.getppid() != reader:
            return
        time.sleep(pause_s)


def live_once(live: Path, variant: str, keys: list[str], pause_s: float, rng: np.random.Generator) -> list[Any]:
    """Load and ask, in any order and perhaps after some time; return (entry, answer) of each call."""
    from sasrec_runtime import Recommender

    recommender = Recommender.load(live, variant=variant, unknown="drop")
    if rng.random() < 0.1:
        time.sleep(rng.random() * 1.5 * pause_s)
    said = list(made.ask_all(recommender, keys).items())
    if rng.random() < 0.1:
        time.sleep(rng.random() * 1.5 * pause_s)
        said += made.ask_all(recommender, keys).items()
    return said


def same(a: Any, b: Any) -> bool:
    """Compare answers: keys exactly, scores to the last but some bits; two models differ far more."""
    if isinstance(a, list | tuple):
        return isinstance(b, list | tuple) and len(a) == len(b) and all(map(same, a, b))
    return math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-4) if isinstance(a, float) and isinstance(b, float) else a == b


def judge(case: children.Case, said: list[Any], models: dict[str, dict[str, Any]]) -> None:
    """Count one life as right or wrong."""
    fits = [{name for name, model in models.items() if same(answer, model[entry])} for entry, answer in said]
    if not all(fits):
        entry, answer = said[fits.index(set())]
        case.wrong("neither model", f"{entry}: {answer!r:.200}")
    elif not set.intersection(*fits):
        case.wrong("two models in one life", str([sorted(fit) for fit in fits]))
    else:
        case.counts(right=1)


@click.command()
@click.argument("bundle", default="demo/bundle", type=click.Path(exists=True, path_type=Path))
@click.option("--other", type=click.Path(exists=True, path_type=Path), help="A model of the same catalogue.  [made]")
@click.option("--seconds", default=120.0, show_default=True, help="In all, for both paces and all ways to replace.")
@click.option("--seed", default=0, show_default=True)
@click.option("--jobs", default=2, show_default=True, help="Readers at a time, each with a writer and a folder.")
@click.option("--only", multiple=True, type=click.IntRange(0, len(SLICES) - 1), help="This pace and way alone.")
@click.option("--shown", default=2, show_default=True, help="Wrong lives of a kind to print.")
def main(
    bundle: Path, other: Path | None, seconds: float, seed: int, jobs: int, only: tuple[int, ...], shown: int
) -> None:
    """Replace a copy of BUNDLE while it is read."""
    shell.preload()
    with tempfile.TemporaryDirectory(prefix="attack-") as scratch:
        first = made.copy_here(bundle, Path(scratch))
        second = (
            made.copy_here(other, Path(scratch) / "other") if other else made.other_model(first, Path(scratch, "c"))
        )
        sources = {
            "A": first,
            "the next model": second,
            "another catalogue": made.other_size(first, Path(scratch, "b")),
        }
        models, variants, keys = known_answers(sources)
        numbers = list(only) or list(range(len(SLICES)))
        slice_s = seconds * min(jobs, len(numbers)) / len(numbers)

        def attempt(case: children.Case) -> None:
            pace, way = SLICES[case.number]
            case.begins(f"race: {pace}, {way}", f"{slice_s:g} s")
            live = case.folder / "live"
            shutil.copytree(first, live)
            order = [sources["the next model"], first, sources["another catalogue"], first]
            writer = children.FORK.Process(target=write, args=(live, order, way, PAUSES_S[pace]))
            writer.start()
            until = time.monotonic() + slice_s
            while time.monotonic() < until:
                variant = str(case.rng.choice(variants))
                case.begins(f"race: {pace}, {way}", variant)
                try:
                    said = live_once(live, variant, keys, PAUSES_S[pace], case.rng)
                except SasrecError:
                    case.counts(refused=1)
                except Exception as error:  # noqa: BLE001 - that it came out is what is counted
                    case.wrong(f"bare {type(error).__name__}", f"{error!s:.200}")
                else:
                    judge(case, said, models[variant])
            if not writer.is_alive():
                case.wrong("writer died", f"exit {writer.exitcode}")
            writer.kill()

        sys.exit(children.run(children.How(numbers, seed, jobs, slice_s + 60, shown), attempt))


def known_answers(sources: dict[str, Path]) -> tuple[dict[str, Any], list[str], list[str]]:
    """Return variant → model → entry → answer, the variants that all have, and the keys that were asked with."""
    from sasrec_runtime.bundle import Bundle

    named = [{variant.name for variant in Bundle.open(path).manifest.variants} for path in sources.values()]
    variants = sorted(set.intersection(*named))
    lists = [made.keys_of(path) for path in (sources["A"], sources["another catalogue"])]
    keys = [key for pair in zip(*lists, strict=True) for key in pair]
    models = children.ask(
        lambda: {name: {label: made.answer(path, name, keys) for label, path in sources.items()} for name in variants}
    )
    for name, answers in models.items():
        labels = list(answers)
        if any(same(answers[a]["recommend"], answers[b]["recommend"]) for a, b in itertools.combinations(labels, 2)):
            sys.exit(f"{name}: two of the bundles answer alike, so that a race between them shows nothing.")
    return models, variants, keys


if __name__ == "__main__":
    main()
