"""Run a sasrec-edge bundle: next-item prediction on onnxruntime or LiteRT.

``Recommender.load("bundle").recommend(["50", "181", "172"], k=10)``
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sasrec_runtime.recommender import AllowedSet, Groups, Item, Recommendations, Recommender

__all__ = ["AllowedSet", "Groups", "Item", "Recommendations", "Recommender"]


def __getattr__(name: str) -> Any:
    """Load the public names on first use: ``--help`` and ``import`` alone stay free of numpy."""
    if name not in __all__:
        raise AttributeError(f"module 'sasrec_runtime' has no attribute {name!r}")
    from sasrec_runtime import recommender  # noqa: PLC0415 - on first use

    return getattr(recommender, name)
