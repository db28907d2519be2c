"""Can a catalogue of that size be exported, and what does it cost? A network with random weights, one variant.

Example: .venv/bin/python tools/bench_sizes.py --items 5000000 --variant onnx-wi8
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
VERIFY = (
    "import sys, time\n"
    "from sasrec_runtime import verify\n"
    "from sasrec_runtime.bundle import Bundle\n"
    "started = time.perf_counter()\n"
    "(check,) = verify.verify(Bundle.open(sys.argv[1]))\n"
    "peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM'))\n"
    "print(check.status, *check.failures[:3], f'in {time.perf_counter() - started:.1f} s, {peak.split()[1]} KiB')\n"
)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--items", type=int, required=True)
    options.add_argument("--dim", type=int, default=64)
    options.add_argument("--heads", type=int, default=2)
    options.add_argument("--variant", required=True, help="Such as onnx-wi8.")
    options.add_argument("--folder", type=Path, help="Where to write; by default where temporary files go.")
    chosen = options.parse_args()
    from sasrec_train import tensorflow_import

    tensorflow_import.import_tensorflow()
    import random_bundle

    started = time.perf_counter()
    sizes = {"hidden_dim": chosen.dim, "ffn_dim": chosen.dim, "num_heads": chosen.heads}
    model = random_bundle.network(chosen.items, **sizes)
    told("network", started, f"{memory_mib('VmRSS'):,} MiB kept")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        started = time.perf_counter()
        runtime, recipe = chosen.variant.split("-")
        bundle = random_bundle.write(Path(folder), model, (recipe,), (runtime,))
        files = sum(entry.bytes for variant in bundle.manifest.variants for entry in variant.files)
        told("export and goldens", started, f"{files:,} bytes")
        done = subprocess.run(
            [sys.executable, "-c", VERIFY, folder], capture_output=True, text=True, check=False
        )  # a process of its own, as an app has
        print("verify:", done.stdout.strip() or done.stderr.strip()[-300:], flush=True)


def told(what: str, started: float, more: str) -> None:
    print(f"{what}: {time.perf_counter() - started:.1f} s, peak {memory_mib('VmHWM'):,} MiB; {more}", flush=True)


def memory_mib(name: str) -> int:
    """Return what this process holds (VmRSS), or the most that it has held (VmHWM)."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(name)) // 1024


if __name__ == "__main__":
    main()
