"""What the scripts beside this file share: their options, the clock of training, and the JSON lines they write."""

import argparse
import json
import os
import platform
import time
from importlib import metadata
from pathlib import Path


def parser(description: str, *, dropout: float, learning_rate: float, batch_size: int) -> argparse.ArgumentParser:
    """Return the options every script takes; the three defaults are the library's own."""
    options = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter, allow_abbrev=False
    )
    options.add_argument("--log", type=Path, required=True, help="`user item` lines in time order")
    options.add_argument("--out", type=Path, required=True, help="JSON lines, written anew")
    options.add_argument("--hidden-dim", type=int, default=64)
    options.add_argument("--blocks", type=int, default=2)
    options.add_argument("--heads", type=int, default=2)
    options.add_argument("--max-len", type=int, default=50)
    options.add_argument("--batch-size", type=int, default=batch_size, help="what the library counts in a batch")
    options.add_argument("--dropout", type=float, default=dropout)
    options.add_argument("--learning-rate", type=float, default=learning_rate)
    options.add_argument("--epochs", type=int, default=1, help="most epochs")
    options.add_argument("--minutes", type=float, default=None, help="most training time, without validation")
    options.add_argument("--evaluate-every", type=int, default=1, help="epochs; 0: at the end only")
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--seed", type=int, default=0)
    return options


class Recorder:
    """A clock that runs while the library trains and stands while it is judged; writes a line per epoch.

    Args:
        options: What `parser` parsed.
        library: Its name on the package index.
        versions: Other packages whose versions count.
        interactions: Training interactions of the log, the same for all libraries.
        targets: Items an epoch of this library learns to predict.
        rows: Rows an epoch is batched from.
    """

    def __init__(self, options, library, versions, *, interactions, targets, rows):
        self.path = options.out
        self.limit_s = None if options.minutes is None else 60 * options.minutes
        self.epochs = options.epochs
        self.evaluate_every = options.evaluate_every
        self.interactions = interactions
        self.targets = targets
        self.train_seconds = 0.0
        self.cpu_seconds = 0.0
        self._at_last_line = 0.0, 0.0
        self._since = None
        settings = {name: value for name, value in vars(options).items() if name not in {"log", "out"}}
        self._write(
            {
                "output_version": 1,
                "library": library,
                "versions": {name: metadata.version(name) for name in (library, *versions)},
                "python": platform.python_version(),
                "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
                "settings": settings,
                "interactions": interactions,
                "targets": targets,
                "rows": rows,
            },
            mode="w",
        )

    def resume(self):
        self._since = time.perf_counter(), time.process_time()

    def pause(self):
        if self._since is not None:
            self.train_seconds += time.perf_counter() - self._since[0]
            self.cpu_seconds += time.process_time() - self._since[1]
        self._since = None

    def spent(self):
        """Whether training has taken the time it was given."""
        running = 0.0 if self._since is None else time.perf_counter() - self._since[0]
        return self.limit_s is not None and self.train_seconds + running >= self.limit_s

    def epoch(self, number, share, loss, judge, *, seconds=None):
        """Write the line of an epoch that ended, or was broken off after a share of its steps.

        Args:
            number: From 1.
            share: Of the epoch's steps that were taken, at most 1.
            loss: Mean loss of a step.
            judge: Called without arguments for the validation metrics, when it is time to.
            seconds: Training time of the epoch, where the library has measured it; otherwise the clock's.
        """
        self.pause()
        if seconds is not None:
            self.train_seconds = self._at_last_line[0] + seconds
        last = number == self.epochs or share < 1 or self.spent()
        due = last or (self.evaluate_every and number % self.evaluate_every == 0)
        seconds = self.train_seconds - self._at_last_line[0]
        cpu_seconds = self.cpu_seconds - self._at_last_line[1]
        self._at_last_line = self.train_seconds, self.cpu_seconds
        started = time.perf_counter()
        metrics = judge() if due else {}
        self._write(
            {
                "epoch": number,
                "share": share,
                "seconds": seconds,
                "cpu_seconds": cpu_seconds,  # of all threads; far from seconds × threads: the machine was busy
                "train_seconds": self.train_seconds,
                "interactions": round(share * self.interactions),
                "interactions_per_s": share * self.interactions / seconds,
                "targets_per_s": share * self.targets / seconds,
                "epoch_seconds": seconds / share,
                "loss": loss,
                "validation": metrics,
                "validation_seconds": time.perf_counter() - started,
            }
        )
        return last

    def _write(self, line, mode="a"):
        with self.path.open(mode, encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
