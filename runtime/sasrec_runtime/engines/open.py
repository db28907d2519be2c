"""Open a variant: choose the class of its engine, and fit requests to the shapes that the variant fixes."""

from typing import Unpack

from sasrec_runtime.bundle import Bundle
from sasrec_runtime.engines.contract import Session
from sasrec_runtime.engines.fixed_shapes import FittedSession, has_fixed_shapes
from sasrec_runtime.engines.options import OptionNames, SessionOptions
from sasrec_runtime.manifest import Variant

__all__ = ["open_session"]


def open_session(bundle: Bundle, variant: Variant, **options: Unpack[OptionNames]) -> Session:
    """Return a session of that variant, its recommend model loaded.

    Args:
        bundle: The bundle that holds the variant.
        variant: One of `bundle.manifest.variants`.
        options: The fields of `SessionOptions`.

    Raises:
        BundleError: A file differs from the manifest, or the engine cannot load it.
        BundleReplacedError: The folder holds another bundle than the one that was opened.
        MissingRuntimeError: The runtime is not installed or too old.
        ProviderError: It has no such execution provider.
        SignatureError: A model file has other inputs or outputs than the contract.
    """
    chosen = SessionOptions(**options)
    return bundle.steadily(lambda: _opened(bundle, variant, chosen))


def _opened(bundle: Bundle, variant: Variant, options: SessionOptions) -> Session:
    model = bundle.manifest.model
    if variant.runtime == "tflite":
        from sasrec_runtime.engines.litert import TfliteSession  # noqa: PLC0415 - loads LiteRT

        return FittedSession(
            TfliteSession(bundle, variant, options), variant, model.n_items, rounded=True, history_columns=model.max_len
        )
    from sasrec_runtime.engines.onnx import OnnxSession  # noqa: PLC0415 - loads onnxruntime

    session = OnnxSession(bundle, variant, options)
    return FittedSession(session, variant, model.n_items) if has_fixed_shapes(variant) else session
