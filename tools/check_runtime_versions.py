"""Which versions of onnxruntime and LiteRT give a bundle's golden answers? Installs each beside it and runs verify.

Needs the package registry. Example: python tools/check_runtime_versions.py bundle
"""

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
CANDIDATES = {
    "onnx": ("onnxruntime", ["1.18.1", "1.19.2", "1.20.1", "1.21.1", "1.22.1", "1.23.2", "1.32.0"]),
    "tflite": ("ai-edge-litert", ["1.0.1", "1.2.0", "1.4.0", "2.0.3", "2.1.0", "2.3.0"]),
}


def main(bundle: str) -> None:
    manifest = json.loads((Path(bundle) / "manifest.json").read_text())
    for runtime, (package, versions) in CANDIDATES.items():
        names = [variant["name"] for variant in manifest["variants"] if variant["runtime"] == runtime]
        for version in versions if names else ():
            print(f"{package} {version}: {check(bundle, names, f'{package}=={version}')}", flush=True)


def check(bundle: str, names: list[str], requirement: str) -> str:
    """Return what verify says of each variant with that package installed, whatever the manifest asks for."""
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
            return "cannot be installed: " + installed.stderr.strip().splitlines()[-1]
        code = (
            "import dataclasses, sys, msgspec\n"
            f"sys.path.insert(0, {str(ROOT / 'runtime')!r})\n"
            "from sasrec_runtime import session, verify\n"
            "session._release = lambda version: ()\n"
            "from sasrec_runtime.bundle import Bundle\n"
            f"for name in {names!r}:\n"
            "    try:\n"
            f"        (check,) = verify.verify(Bundle.open({bundle!r}), [name])\n"
            "        print(name, check.status, (check.failures or [''])[0][:100], end='; ')\n"
            "    except Exception as error:\n"
            "        print(name, 'cannot run:', str(error)[:160], end='; ')\n"
        )
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
        return done.stdout.strip() or done.stderr.strip().splitlines()[-1][:200]


if __name__ == "__main__":
    main(sys.argv[1])
