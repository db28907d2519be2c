"""From a CSV of interactions to the folder that an Android app ships.

    python examples/csv_to_android.py ratings.csv app/src/main/assets/recommender

The CSV has a heading, a column of users, one of items and, best, one of times. The folder holds one TFLite variant, the
items, golden answers, and a README.md with Kotlin that loads and asks it. Needs the extras: pip install '.[all]'.

To choose another variant than the default, export without --app, and let `sasrec-edge report` name the smallest one
inside your budget.
"""

import argparse
import tempfile
from pathlib import Path

from sasrec_export.cli import main as sasrec_edge


def ship(log: Path, app: Path, *, train_options: list[str]) -> None:
    """Train on a log and write the folder of the app; the app's old folder is replaced once the new one is whole."""
    with tempfile.TemporaryDirectory() as scratch:
        run = f"{scratch}/run"  # keep it if you want to evaluate or to export again
        command("train", "--data", str(log), "--out", run, *train_options)
        command("export", run, "--app", "android", "--out", str(app), "--force")
    command("verify", str(app))


def command(*arguments: str) -> None:
    """Run a command of sasrec-edge in this process; an expected failure raises click's ClickException."""
    print("sasrec-edge", *arguments)
    code = sasrec_edge(arguments, standalone_mode=False)
    if code:
        raise SystemExit(code)  # 3: verify ran, and an answer differs


def main() -> None:
    """Read the command line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("log", type=Path, help="the CSV")
    options.add_argument("app", type=Path, help="folder to write, such as app/src/main/assets/recommender")
    given, train_options = options.parse_known_args()  # all else goes to `sasrec-edge train`, such as --min-rating 4
    ship(given.log, given.app, train_options=train_options)


if __name__ == "__main__":
    main()
