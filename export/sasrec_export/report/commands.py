"""The report command: measure a bundle on a log, or compare two reports."""

import json
import math
from pathlib import Path
from typing import Any

import click

from sasrec_export.command_options import json_option, keep_seen_option
from sasrec_runtime.cli.printing import print_lines
from sasrec_train.cli.data_options import LogOptions, data_options

__all__ = ["COMMANDS"]

NOTHING_FITS = 3
"""Exit code: checked and negative."""

markdown_option = click.option("--markdown", is_flag=True, help="Print Markdown, for a pull request.")
compare_help = "Compare two report.json instead of measuring."


def _per_cent(_ctx: click.Context, _param: click.Parameter, value: str | None) -> float | None:
    """Parse "0.5%" as 0.005; the % sign is required, because a bare 0.5 is ambiguous."""
    if value is None:
        return None
    number, sign, rest = value.strip().partition("%")
    try:
        share = float(number) / 100
    except ValueError:
        share = -1.0
    if not sign or rest or not 0 <= share <= 1:
        raise click.BadParameter(f"{value!r:.80} is not a share, expected per cent from 0% to 100%, such as 0.5%.")
    return share


class _Limit(click.FloatRange):
    """A finite number from 0 on: NaN compares with nothing, and infinity does not limit anything."""

    def __init__(self) -> None:
        super().__init__(min=0)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number; leave the option out for no limit.", param, ctx)
        return number


class _Report(click.Command):
    """`report BUNDLE --data …` measures; `report --compare OLD NEW` reads and needs neither."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Return the context of the comparison where it was asked for."""
        if "--compare" in args:
            return _compare.make_context(info_name, args, parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command(cls=_Report)
@click.argument("bundle", type=click.Path(path_type=Path))
@data_options
@click.option("--out", type=click.Path(path_type=Path), help="Folder for report.json and report.html.")
@click.option("--against", default="fp32", show_default=True, metavar="NAME", help="Recipe or variant to compare with.")
@click.option(
    "--max-ndcg-drop", callback=_per_cent, metavar="PERCENT", help="NDCG@10 a variant may lose.  [default: 1%]"
)
@click.option("--max-mb", type=_Limit(), metavar="MB", help="Size of its files, vocabulary apart.")
@click.option("--max-p99-ms", type=_Limit(), metavar="MS", help="99th percentile of its latency here.")
@click.option("--users", type=click.IntRange(min=1), metavar="N", help="Evaluate on a sample of N users.")
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(0, 2**63 - 1),
    help="Of the sample and of the bootstrap.",
)
@click.option("--name-users", is_flag=True, help="Show the users who lost most by key, not by row.")
@keep_seen_option
@click.option("--threads", default=1, show_default=True, type=click.IntRange(min=1), help="Threads of one call.")
@click.option("--force", is_flag=True, help="Replace an existing report.")
@markdown_option
@json_option
@click.option("--compare", nargs=2, metavar="OLD NEW", expose_value=False, help=compare_help)
@click.pass_context
def report(
    ctx: click.Context,
    bundle: Path,
    source: LogOptions,
    out: Path | None,
    against: str,
    max_ndcg_drop: float | None,
    max_mb: float | None,
    max_p99_ms: float | None,
    users: int | None,
    seed: int,
    name_users: bool,
    keep_seen: bool,
    threads: int,
    force: bool,
    markdown: bool,
    as_json: bool,
) -> None:
    """Say which variant of a BUNDLE to ship: what each costs in ranking quality, bytes and milliseconds.

    Ends with exit code 3 when no variant is inside the budget.

    Example: sasrec-edge report bundle --data ml-100k --max-ndcg-drop 0.5% --max-mb 2 --out report
    """
    from sasrec_export.report import progress
    from sasrec_export.report.measure.build_report import build_report
    from sasrec_export.report.measure.evaluation_set import evaluation_set_of_log
    from sasrec_export.report.schema import Budget
    from sasrec_export.report.show import write
    from sasrec_runtime.bundle import Bundle
    from sasrec_train.cli import console

    if out is not None:
        write.check(out, force=force, inputs=[bundle, *source.files()])
    opened = Bundle.open(bundle)
    with console.notes():
        log = source.load()
    evaluation_set = evaluation_set_of_log(log, opened, split_config=source.split, name_users=name_users, say=_say)
    budget = Budget(max_ndcg_drop=max_ndcg_drop, max_mb=max_mb, max_p99_ms=max_p99_ms)
    measured = build_report(
        opened, evaluation_set, against=against, budget=budget, users=users, seed=seed, keep_seen=keep_seen,
        threads=threads, progress=progress.on_stderr,
    )  # fmt: skip
    if out is not None:
        write.write(measured, out, force=force, inputs=[bundle, *source.files()])
    _print(measured, out, markdown=markdown, as_json=as_json)
    if measured.verdict.ship is None:
        ctx.exit(NOTHING_FITS)


@click.command("report")
@click.option("--compare", nargs=2, metavar="OLD NEW", type=click.Path(path_type=Path), help=compare_help)
@markdown_option
@json_option
def _compare(compare: tuple[Path, Path], markdown: bool, as_json: bool) -> None:
    """Compare two report.json: what became of each variant.

    Example: sasrec-edge report --compare old/report.json new/report.json
    """
    from sasrec_export.report import schema
    from sasrec_export.report.show import compare as compare_module

    old, new = (schema.decode(path) for path in compare)
    if as_json:
        click.echo(json.dumps(compare_module.plain(old, new)))
    else:
        print_lines(compare_module.render(old, new, markdown=markdown))


def _print(measured: Any, out: Path | None, *, markdown: bool, as_json: bool) -> None:
    from sasrec_export.report import schema
    from sasrec_export.report.show import text, write

    if as_json:
        click.echo(json.dumps(schema.plain(measured)))
        return
    print_lines(text.markdown(measured) if markdown else text.table(measured))
    if out is not None and not markdown:
        print_lines(f"Report: {out / write.PAGE}")


def _say(what: str) -> None:
    print_lines(what, err=True)


COMMANDS: tuple[click.Command, ...] = (report,)
