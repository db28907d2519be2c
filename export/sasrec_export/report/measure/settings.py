"""How a report measures, for all that it measures."""

from dataclasses import dataclass

from sasrec_export.report.progress import Progress, unseen

__all__ = ["Settings"]


@dataclass(frozen=True, slots=True)
class Settings:
    """How a report measures."""

    detail: bool = True
    """Add the users who lost most, and what each layer would lose in int8."""
    keep_seen: bool = False
    """Recommend items of the user's own history too."""
    threads: int = 1
    """Threads of one call."""
    seed: int = 0
    """Seed of the samples and of the bootstrap."""
    progress: Progress = unseen
    """Told how far the measurement is."""
