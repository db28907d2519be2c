"""Errors a user of a bundle can expect and act on; each message says where, the value seen and what to do."""

__all__ = [
    "AnswerError",
    "BundleError",
    "BundleReplacedError",
    "DigestError",
    "EngineError",
    "FormatVersionError",
    "HistoryError",
    "ManifestError",
    "MissingRuntimeError",
    "OutputError",
    "ProviderError",
    "RequestError",
    "SasrecError",
    "SignatureError",
    "UnknownItemError",
    "VariantError",
    "shown",
]


class SasrecError(Exception):
    """Anything expected that can go wrong between a bundle and its answers."""


class BundleError(SasrecError, ValueError):
    """A bundle is missing, incomplete or not what its manifest says."""


class BundleReplacedError(BundleError):
    """The folder no longer holds the bundle that was opened: load it again."""


class ManifestError(BundleError):
    """manifest.json is not JSON, misses a field, has an unknown one, or points outside the bundle."""


class FormatVersionError(ManifestError):
    """The bundle was written in a newer format than this reader knows."""


class DigestError(BundleError):
    """A file's size or SHA-256 is not the one in the manifest."""


class VariantError(SasrecError, ValueError):
    """The bundle has no variant of that name."""


class MissingRuntimeError(SasrecError, ImportError):
    """The library that runs a variant is not installed, or is older than the variant needs."""


class ProviderError(MissingRuntimeError):
    """The library that runs a variant lacks the execution provider that was asked for."""


class EngineError(SasrecError, RuntimeError):
    """The library that runs a variant failed while it ran."""


class AnswerError(SasrecError, ValueError):
    """A model's answer breaks the graph contract, such as an id outside the catalogue or a score that is not finite."""


class SignatureError(SasrecError, ValueError):
    """A model file's inputs or outputs, or an array given to it, differ from the contract."""


class HistoryError(SasrecError, ValueError):
    """A history holds something that is not an item."""


class UnknownItemError(HistoryError, KeyError):
    """An item key is not in the bundle's vocabulary."""

    def __str__(self) -> str:
        # KeyError would show the repr of the sentence.
        return str(self.args[0])


class OutputError(SasrecError, ValueError):
    """An output cannot be written where it should be: something in its place must stay, or the disk refuses."""


class RequestError(SasrecError, ValueError):
    """A request cannot be answered: k is out of range, or there is nothing to score."""


def shown(value: object) -> str:
    """Return `value` for a message, at most 80 characters; never fails."""
    try:
        return f"{value!r:.80}"
    except Exception:  # noqa: BLE001 - a repr may raise anything; an int of 5,000 digits raises ValueError
        return f"a value of type {type(value).__name__}, too long to show"
