"""Numbers as people read them, the same in the verdict, the table, the page and the comparison.

One sign convention: a difference is variant minus reference, so a minus means that the variant ranks worse. Per cent
have a space before their sign, as in "95 %", and a minus is the character U+2212.
"""

from collections.abc import Iterator

from sasrec_export.report.schema import Bucket, Change, Report

__all__ = [
    "DASH",
    "caption",
    "change",
    "megabytes",
    "metric",
    "milliseconds",
    "per_cent",
    "rejected",
    "share",
    "signed",
    "size",
    "span",
]

DASH = "–"
"""Stands where nothing was measured."""
MINUS = "−"
MB = 1e6


def metric(value: float | None, digits: int = 4) -> str:
    """Return a metric, a dash where it was not measured."""
    return DASH if value is None else f"{value:.{digits}f}"


def signed(value: float | None, digits: int = 4) -> str:
    """Return a difference with its sign; 0 has none."""
    if value is None:
        return DASH
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", MINUS)


def change(found: Change | None, digits: int = 4) -> str:
    """Return a paired difference with its interval."""
    if found is None:
        return DASH
    return f"{signed(found.value, digits)} [{signed(found.low, digits)}, {signed(found.high, digits)}]"


def share(value: float | None, digits: int = 1) -> str:
    """Return a share in per cent with a fixed number of digits, as in "8.3 %"."""
    return DASH if value is None else f"{signed(100 * value, digits).removeprefix('+')} %"


def per_cent(value: float, *, sign: bool = False) -> str:
    """Return a share in per cent with at most two digits, as in "0.5 %" or, with a sign, "+0.5 %"."""
    text = f"{value * 100:{'+' if sign else ''}.2f}".rstrip("0").rstrip(".")
    return f"{'0' if text in {'-0', '+0'} else text.replace('-', MINUS)} %"


def megabytes(size_bytes: int) -> str:
    """Return a number of bytes in MB, powers of 1000."""
    return f"{size_bytes / MB:.2f} MB" if size_bytes >= 1e5 else f"{size_bytes / MB:.2g} MB"


def size(size_bytes: int | None) -> str:
    """Return a number of bytes in kB or MB, powers of 1000."""
    if size_bytes is None:
        return DASH
    if size_bytes < 1_000_000:
        return f"{size_bytes / 1e3:,.0f} kB"
    return f"{size_bytes / MB:,.{2 if size_bytes < 1e7 else 1}f} MB"


def milliseconds(value: float | None) -> str:
    """Return a time in ms."""
    return DASH if value is None else f"{value:.3g}" if value < 100 else f"{value:.0f}"


def span(bucket: Bucket) -> str:
    """Return the values of a stratum, as in "6–10"."""
    if bucket.most is None:
        return f"{bucket.least} or more"
    return f"{bucket.least}{DASH}{bucket.most}" if bucket.least < bucket.most else str(bucket.least)


def caption(report: Report) -> str:
    """Return what was measured, in one line."""
    users = f"{report.users:,} users"
    if report.users < report.users_total:
        users = f"{report.users:,} of {report.users_total:,} users (seed {report.seed})"
    against = f"compared with {report.reference}" if report.reference else "no fp32 variant to compare with"
    threads = f"{report.threads} thread{'s' if report.threads > 1 else ''}"
    return f"{report.data}: {users}, {report.protocol}; {against}; {threads}"


def rejected(report: Report) -> Iterator[str]:
    """Give a line for each variant that was rejected."""
    yield from (f"{other.name}: {other.reason}." for other in report.verdict.passed_over)
