"""The options of a training that starts from a RUN, and the configurations that follow from them."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sasrec_train.cli.config_options import Number

if TYPE_CHECKING:
    from sasrec_train.config import ModelConfig, TrainConfig
    from sasrec_train.log.interactions import Interactions
    from sasrec_train.run import Run

__all__ = ["Origin", "warm_start_options"]

MAX_STAY_NEAR = 10**6  # As in run_config, which is not imported before a command runs.
OPTIONS = (
    click.option(
        "--init-from", type=click.Path(path_type=Path), metavar="RUN",
        help="Start from the weights and item vectors of a RUN, matched by item key; its configuration is the default.",
    ),
    click.option("--keep-vanished", is_flag=True, help="Keep items of that RUN that are not in the log."),
    click.option(
        "--stay-near", type=Number(min=0, max=MAX_STAY_NEAR), metavar="WEIGHT",
        help="Pull item vectors towards those of that RUN.  [default: 0]",
    ),
)  # fmt: skip
NAMES = ("init_from", "keep_vanished", "stay_near")


@dataclass(slots=True)
class Origin:
    """Where a training begins: at random, with the configuration of a preset, or from a RUN, with that of the RUN."""

    path: Path | None
    """The RUN; None: at random."""
    keep_vanished: bool
    """Whether its items that are not in the log stay in the catalogue."""
    stay_near: float
    """Weight of the distance of item vectors from its own."""
    preset: str
    """The preset; with a RUN, that of the RUN."""
    run: "Run | None" = None
    """The RUN, once `load` has read it."""
    fitted: str = ""
    """What the preset fitted to the log and why, once `configs` has looked at it."""

    def load(self) -> None:
        """Read the RUN, if there is one."""
        from sasrec_train.run import Run

        if self.path is not None:
            self.run = Run.load(self.path)
            self.preset = self.run.config.preset

    def check(self, chosen: dict[str, dict[str, Any]]) -> None:
        """Refuse options that no log makes right; `chosen` was given on the command line.

        Raises:
            ConfigError: One is out of its range, or does not fit another.
        """
        self._configs(1, chosen)

    def configs(self, log: "Interactions", chosen: dict[str, dict[str, Any]]) -> "tuple[ModelConfig, TrainConfig]":
        """Return the configurations for a log; `chosen` was given on the command line."""
        from sasrec_train import adaptive, config

        if self.run is not None or self.preset not in config.ADAPTIVE:
            return self._configs(log.n_items, chosen)
        adapted = adaptive.adapt(adaptive.profile(log.histories.lengths, log.n_items))
        self.fitted = adapted.explanation({*chosen["model"], *chosen["train"]})
        return config.preset(
            self.preset, n_items=log.n_items, adapted=adapted, model=chosen["model"], train=chosen["train"]
        )

    def _configs(self, n_items: int, chosen: dict[str, dict[str, Any]]) -> "tuple[ModelConfig, TrainConfig]":
        from sasrec_train import config
        from sasrec_train.warm_start import configuration

        if self.run is None:
            return config.preset(self.preset, n_items=n_items, model=chosen["model"], train=chosen["train"])
        old = self.run.config
        return configuration.configs((old.model, old.train), n_items=n_items, shorten=old.warm_start is None, **chosen)

    def with_vanished(self, log: "Interactions") -> "Interactions":
        """Return the log, with the items that vanished from it where they are to be kept."""
        from sasrec_train.warm_start import catalogue

        return catalogue.keep_vanished(log, self.run.interactions) if self.run and self.keep_vanished else log

    def explain(self, configs: "tuple[ModelConfig, TrainConfig]", given: dict[str, Any]) -> str | None:
        """Return what was fitted to the log, or why the training is as short as it is; None where all was given."""
        from sasrec_train.warm_start import configuration

        if self.fitted:
            return f"fitted to the log: {self.fitted}."
        if self.run is None or {"epochs", "learning_rate"} <= set(given):
            return None
        training = configs[1]
        length = f"{training.epochs} epoch{'s'[: training.epochs != 1]}" + (
            f" or {training.min_steps} steps" if training.min_steps else ""
        )
        if self.run.config.warm_start is None:
            why = (
                f"{configuration.LENGTH_SHARE:.0%} of the RUN's length and {configuration.RATE_SHARE:.0%} of its "
                "learning rate, for its weights are near their place"
            )
        else:
            why = "as the RUN was, which started from another"
        return (
            f"a short training of {length} at a learning rate that falls from {training.learning_rate:g}: {why}; "
            "--epochs and --learning-rate change that."
        )


def warm_start_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options to a command that has --preset; it gets them and the preset as one Origin called `origin`."""

    @functools.wraps(command)
    def with_origin(**given: Any) -> None:
        command(origin=_parse(given.pop("preset"), **{name: given.pop(name) for name in NAMES}), **given)

    wrapped: Callable[..., None] = with_origin
    for option in reversed(OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def _parse(preset: str, *, init_from: Path | None, keep_vanished: bool, stay_near: float | None) -> Origin:
    if init_from is None:
        for option, is_given in (("--keep-vanished", keep_vanished), ("--stay-near", stay_near is not None)):
            if is_given:
                raise click.UsageError(f"{option} has no effect without --init-from.")
    elif click.get_current_context().get_parameter_source("preset") is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("--preset has no effect with --init-from: the RUN's configuration is taken. Omit it.")
    return Origin(init_from, keep_vanished, stay_near or 0.0, preset)
