"""Files of a RUN flipped, crafted, or not files at all: read by Run.load, split() and model().

Example: python tools/attack/runs.py --cases 1500
"""

import json
import sys
import tempfile
from pathlib import Path

import children
import click
import crafted_run
import folders
import made
import manifest
import shell
from tally import Wrong, options

READ = ("config.json", "histories.npz", "split.npz", "items.txt", "users.txt", "metrics.json", "model.keras")
SPLIT_AND_MODEL = ("split.npz", "model.keras")


@click.command()
@click.option("--run", type=click.Path(exists=True, path_type=Path), help="A RUN to spoil.  [default: a tiny one]")
@options(cases=1500, limit_s=20)
def main(run: Path | None, how: children.How) -> None:
    """Spoil one file of a RUN a case, then load it with its split and its network."""
    shell.preload(training=True)
    from sasrec_train.run import Run

    with tempfile.TemporaryDirectory(prefix="attack-") as scratch:
        base = made.copy_here(run, Path(scratch)) if run else made.tiny_run(Path(scratch, "run"))
        crafted = [(name, *item) for name in ("histories.npz", "split.npz") for item in crafted_run.archives().items()]
        crafted += [(name, *item) for name in ("config.json", "metrics.json") for item in crafted_run.JSONS.items()]
        crafted += [("model.keras", *item) for item in crafted_run.kerases((base / "model.keras").read_bytes()).items()]
        special = [(name, kind) for name in READ for kind in manifest.SPECIAL]
        fields = {name: json.loads((base / name).read_bytes()) for name in ("config.json", "metrics.json")}

        def spoil(case: children.Case, copy: Path) -> tuple[str, str]:
            """Return the file that was spoiled, and what must not be accepted of it ("" where anything may)."""
            number = case.number
            if number < len(crafted):
                name, what, data = crafted[number]
                case.begins("runs: crafted", f"{name}: {what}")
                folders.put(copy / name, data)
                return name, what if what == crafted_run.NOT_FINITE else ""
            if (number := number - len(crafted)) < len(special):
                name, kind = special[number]
                case.begins("runs: special files", f"{kind} as {name}")
                manifest.specialize(copy / name, kind, base / name)
                return name, kind
            name = str(case.rng.choice(READ, p=[0.15, 0.2, 0.15, 0.1, 0.1, 0.1, 0.2]))
            if name in fields and case.rng.random() < 0.7:
                data, what = manifest.change(case.rng, fields[name])
            else:
                data, what = folders.flipped((base / name).read_bytes(), case.rng)
            case.begins("runs: flipped", f"{name}: {what}")
            folders.put(copy / name, data)
            return name, ""

        def attempt(case: children.Case) -> None:
            copy = folders.copy(base, case.folder / "run")
            name, forbidden = spoil(case, copy)
            try:
                loaded = Run.load(copy)
                loaded.split()
                if name in SPLIT_AND_MODEL or case.rng.random() < 0.05:
                    loaded.model()
            except OSError as error:
                if error.filename is None or error.strerror is None:
                    raise
                case.counts(refused=1)  # the command line makes a sentence of it
                return
            if forbidden:
                raise Wrong("accepted", forbidden)

        sys.exit(children.run(how, attempt))


if __name__ == "__main__":
    main()
