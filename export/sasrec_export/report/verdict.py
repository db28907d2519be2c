"""Which variant to ship: the smallest one inside a budget, and why each other one was rejected."""

from collections.abc import Sequence

from sasrec_export.report.formatting import megabytes, per_cent
from sasrec_export.report.schema import Budget, NotMeasured, PassedOver, VariantReport, Verdict

__all__ = ["DEFAULT_NDCG_DROP", "judge", "ndcg_drop"]

DEFAULT_NDCG_DROP = 0.01
"""Share of the reference's NDCG@10 that a variant may lose where no budget is given."""

MB = 1e6


def judge(
    variants: Sequence[VariantReport],
    not_measured: Sequence[NotMeasured],
    *,
    reference: VariantReport | None,
    budget: Budget,
) -> Verdict:
    """Return the verdict. What counts is the measured drop; the sentence states its interval as well.

    Args:
        variants: What was measured.
        not_measured: What could not run here; it is never chosen.
        reference: What a drop is measured from; without it nothing fits a budget that limits one.
        budget: The limits.
    """
    problems = {variant.name: _problems(variant, reference, budget) for variant in variants}
    fitting = sorted((v for v in variants if not problems[v.name]), key=lambda v: (v.bytes, v.latency_p50_ms, v.name))
    chosen = fitting[0] if fitting else None
    rejected = [
        PassedOver(
            name=variant.name,
            fits=not problems[variant.name],
            reason="; ".join(problems[variant.name]) or _larger(variant, chosen),
        )
        for variant in sorted(variants, key=lambda variant: variant.bytes)
        if variant is not chosen
    ]
    rejected += [PassedOver(name=variant.name, fits=False, reason=variant.reason) for variant in not_measured]
    return Verdict(
        ship=chosen.name if chosen else None,
        sentence=_ship(chosen, reference, budget) if chosen else _ship_none(rejected, budget),
        budget=budget,
        passed_over=rejected,
    )


def ndcg_drop(variant: VariantReport, reference: VariantReport | None) -> float | None:
    """Return the share of the reference's NDCG@10 that the variant loses; negative for a gain, None if unknown."""
    if reference is None or variant.ndcg_10 is None or not reference.ndcg_10:
        return None
    return 1 - variant.ndcg_10 / reference.ndcg_10


def _problems(variant: VariantReport, reference: VariantReport | None, budget: Budget) -> list[str]:
    found = []
    if variant.suspect_rows:
        worst = next((row for row in variant.rows if row.suspect), variant.rows[0])
        found.append(
            f"{variant.suspect_rows} of its items' rows look corrupted: the scores of item {worst.key}"
            f"{f' ({worst.title})' if worst.title else ''} are off by {worst.error:.3g}, "
            f"{per_cent(worst.relative)} of their size"
        )
    drop = ndcg_drop(variant, reference)
    if budget.max_ndcg_drop is not None:
        if drop is None:
            found.append("its NDCG@10 cannot be compared with that of a reference")
        elif not drop <= budget.max_ndcg_drop:
            found.append(f"its NDCG@10 is {_compared(drop)}{_interval(variant, reference)}, "
                         f"at most {per_cent(budget.max_ndcg_drop)} lower is allowed")  # fmt: skip
    if budget.max_mb is not None and not variant.bytes <= budget.max_mb * MB:
        found.append(f"it has {megabytes(variant.bytes)}, more than {budget.max_mb:g} MB")
    if budget.max_p99_ms is not None and not variant.latency_p99_ms <= budget.max_p99_ms:
        found.append(f"its p99 is {variant.latency_p99_ms:.3g} ms, more than {budget.max_p99_ms:g} ms")
    return found


def _ship(chosen: VariantReport, reference: VariantReport | None, budget: Budget) -> str:
    drop = ndcg_drop(chosen, reference)
    if drop is None or reference is None:
        cost = "what it costs in NDCG@10 is not known, for there is nothing to compare with"
    elif chosen.name == reference.name:
        cost = "it is the reference itself"
    else:
        cost = f"its NDCG@10 is {_compared(drop)} than that of {reference.name}{_interval(chosen, reference)}"
        if per_cent(drop) == per_cent(0):
            cost = f"its NDCG@10 is that of {reference.name}{_interval(chosen, reference)}"
    return (
        f"Ship {chosen.name}: with {megabytes(chosen.bytes)} it is the smallest variant {_inside(budget)}; {cost}, "
        f"and its p99 is {chosen.latency_p99_ms:.3g} ms here."
    )


def _ship_none(rejected: list[PassedOver], budget: Budget) -> str:
    closest = f" {rejected[0].name}, the smallest: {rejected[0].reason}." if rejected else ""
    return f"Ship none of them: no variant is {_inside(budget)}.{closest}"


def _inside(budget: Budget) -> str:
    limits = []
    if budget.max_ndcg_drop is not None:
        limits.append(f"NDCG@10 at most {per_cent(budget.max_ndcg_drop)} lower")
    if budget.max_mb is not None:
        limits.append(f"at most {budget.max_mb:g} MB")
    if budget.max_p99_ms is not None:
        limits.append(f"p99 at most {budget.max_p99_ms:g} ms")
    return f"inside the budget ({', '.join(limits)})" if limits else "without corrupted rows"


def _larger(variant: VariantReport, chosen: VariantReport | None) -> str:
    if chosen is None or variant.bytes == chosen.bytes:
        return "it fits, and is as large but slower"
    times = variant.bytes / chosen.bytes
    return f"it fits, but is {f'{times:.1f} times as large' if times >= 2 else f'{per_cent(times - 1)} larger'}"


def _compared(drop: float) -> str:
    """Return the drop of a metric in words."""
    return f"{per_cent(abs(drop))} {'lower' if drop > 0 else 'higher'}"


def _interval(variant: VariantReport, reference: VariantReport | None) -> str:
    """Return the difference, variant minus reference, and its 95 % interval as shares of the reference's value.

    Empty where there is no interval.
    """
    change = variant.difference.get("ndcg@10")
    if change is None or reference is None or not reference.ndcg_10:
        return ""
    value, low, high = (per_cent(end / reference.ndcg_10, sign=True) for end in (change.value, change.low, change.high))
    return f" (difference {value}, 95 % interval {low} to {high})"
