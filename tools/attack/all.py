"""Run every experiment one after another, each with its share of the cases; 1 if anything was wrong.

Example: python tools/attack/all.py demo/bundle --scale 0.1
"""

import subprocess
import sys
import time
from pathlib import Path

import click

HERE = Path(__file__).parent
CASES = {
    "answers": 10_000, "manifest": 1500, "flips": 1500, "calls": 200, "inputs": 600, "runs": 500, "cli": 150,
    "force": 60, "kills": 40,
}  # fmt: skip
"""Experiment → cases at scale 1; in the order of what a case costs."""
FIXED = {"answers"}
TAKES_BUNDLE = {"answers", "manifest", "flips", "calls"}


@click.command()
@click.argument("bundle", default="demo/bundle", type=click.Path(exists=True, path_type=Path))
@click.option("--other", type=click.Path(exists=True, path_type=Path), help="For flips: a bundle of another training.")
@click.option("--scale", default=1.0, show_default=True, help="Of the numbers of cases.")
@click.option("--seed", default=0, show_default=True)
@click.option("--name", "names", multiple=True, type=click.Choice(list(CASES)), help="This alone; repeatable.")
def main(bundle: Path, other: Path | None, scale: float, seed: int, names: tuple[str, ...]) -> None:
    """Attack BUNDLE, and what this machine can make beside it."""
    failed = []
    for name in names or CASES:
        cases = CASES[name] if name in FIXED else max(1, round(CASES[name] * scale))
        line = [sys.executable, str(HERE / f"{name}.py"), "--cases", str(cases), "--seed", str(seed)]
        line += [str(bundle)] if name in TAKES_BUNDLE else []
        line += ["--other", str(other)] if other is not None and name == "flips" else []
        started = time.monotonic()
        done = subprocess.run(line, stderr=subprocess.PIPE, text=True, check=False)
        print(f"\n{name}: {time.monotonic() - started:.0f} s\n", flush=True)
        if done.returncode:
            failed.append(name)
            if "Traceback" in done.stderr:  # of the experiment itself
                print(done.stderr[-2000:])
    print(f"Wrong: {', '.join(failed)}" if failed else "Nothing was wrong.")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
