"""Which versions of onnxruntime and LiteRT give a bundle's golden answers? Installs each beside it and runs verify.

Needs the package registry. Example:

    python tools/check_runtime_versions.py bundle --runtime tflite --version 2.0.2 --version 2.1.0
"""

import argparse
import json
import shutil
import signal
import subprocess
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
# LiteRT 1.0 was built for numpy 1, and 1.1.0 cannot open an Interpreter.
CANDIDATES = {
    "onnx": ("onnxruntime", ["1.18.1", "1.19.2", "1.20.1", "1.21.1", "1.22.1", "1.23.2", "1.24.4", "1.32.0"]),
    "tflite": ("ai-edge-litert", ["1.1.1", "1.2.0", "1.3.0", "1.4.0", "2.0.3", "2.1.0", "2.3.0"]),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="+", metavar="bundle")
    parser.add_argument("--runtime", choices=list(CANDIDATES), help="check this one only")
    parser.add_argument("--version", action="append", help="in place of the usual ones; repeatable, needs --runtime")
    chosen = parser.parse_args()
    if chosen.version and not chosen.runtime:
        parser.error("--version needs --runtime: the versions are of one package")
    for runtime in [chosen.runtime] if chosen.runtime else CANDIDATES:
        package, versions = CANDIDATES[runtime]
        variants = [(bundle, name) for bundle in chosen.bundles for name in names(bundle, runtime)]
        for version in chosen.version or versions if variants else ():
            check(f"{package}=={version}", variants)


def names(bundle: str, runtime: str) -> list[str]:
    """Return the variants of one runtime."""
    manifest = json.loads((Path(bundle) / "manifest.json").read_text())
    return [variant["name"] for variant in manifest["variants"] if variant["runtime"] == runtime]


def check(requirement: str, variants: list[tuple[str, str]]) -> None:
    """Print what verify says of each (bundle, name) with that package installed, whatever the manifest asks for."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        installed = subprocess.run(
            [python, "-m", "pip", "install", "-q", requirement, "numpy<2.3", "msgspec", "click"],
            capture_output=True,
            text=True,
            check=False,
        )
        if installed.returncode:
            print(f"{requirement} cannot be installed: {installed.stderr.strip().splitlines()[-1]}", flush=True)
            return
        for bundle, name in variants:
            print(f"{requirement} {bundle} {name} {answers(python, bundle, name)}", flush=True)


def answers(python: Path, bundle: str, name: str) -> str:
    """Return what verify says of one variant, in a process of its own: an old runtime may crash."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "bundle"
        shutil.copytree(bundle, copy)
        manifest = json.loads((copy / "manifest.json").read_bytes())
        for variant in manifest["variants"]:
            variant["min_runtime_version"] = "0"  # so that an older engine is tried
        (copy / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        code = (
            "import sys\n"
            f"sys.path.insert(0, {str(ROOT / 'runtime')!r})\n"
            "from sasrec_runtime import verify\n"
            "from sasrec_runtime.bundle import Bundle\n"
            f"(check,) = verify.verify(Bundle.open({str(copy)!r}), [{name!r}])\n"
            "print(check.status, (check.failures or [''])[0][:100])\n"
        )
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode < 0:
        return f"crashed: {signal.Signals(-done.returncode).name}"
    if done.returncode:
        return f"cannot run: {done.stderr.strip().splitlines()[-1][:160]}"
    return done.stdout.strip()


if __name__ == "__main__":
    main()
