"""The public place of the memory probe: ``python -m sasrec_runtime.memory BUNDLE VARIANT``."""

from sasrec_runtime.checks.probe import main, mebibytes

__all__ = ["main", "mebibytes"]

if __name__ == "__main__":
    main()
