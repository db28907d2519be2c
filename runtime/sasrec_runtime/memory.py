"""The public place of the memory probe, called as `sasrec_runtime.checks.probe` says."""

from sasrec_runtime.checks.probe import main, measure, mebibytes

__all__ = ["main", "measure", "mebibytes"]

if __name__ == "__main__":
    main()
