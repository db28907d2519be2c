"""What an app ships: one variant, and what its client needs to run and to check itself."""

from sasrec_export.errors import ExportError
from sasrec_runtime.bundle import MANIFEST_NAME, Bundle
from sasrec_runtime.cli.printing import table_lines

__all__ = ["DEFAULTS", "choose", "sizes", "table"]

DEFAULTS = {"android": ("tflite", "wi8"), "ios": ("onnx", "wi8"), "web": ("onnx", "wi8")}
"""App → runtime and recipe; `--runtime` and `--recipe` take others."""


def choose(app: str, runtimes: tuple[str, ...], recipes: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the one runtime and the one recipe that an app ships.

    Raises:
        ExportError: More than one was asked for, or one that has no client there.
    """
    for option, values in (("--runtime", runtimes), ("--recipe", recipes)):
        if len(values) > 1:
            raise ExportError(f"--app {app} ships one variant, but {option} is given {len(values)} times. Give one.")
    if app == "web" and runtimes == ("tflite",):
        raise ExportError("--app web runs on onnxruntime-web, but --runtime is tflite. Take onnx.")
    runtime, recipe = DEFAULTS[app]
    return runtimes or (runtime,), recipes or (recipe,)


def sizes(bundle: Bundle) -> dict[str, int]:
    """Return path → bytes of every file, manifest.json included."""
    manifest_bytes = (bundle.path / MANIFEST_NAME).stat().st_size
    return {MANIFEST_NAME: manifest_bytes, **{entry.path: entry.bytes for entry in bundle.manifest.all_files()}}


def table(app: str, bundle: Bundle) -> str:
    """Return what the app ships, a file a line, and the sum."""
    files = sizes(bundle)
    rows = [*files.items(), (f"{app}: {bundle.manifest.variants[0].name}", sum(files.values()))]
    return "\n".join(table_lines([("bytes shipped", ""), *((name, f"{size:,}") for name, size in rows)]))
