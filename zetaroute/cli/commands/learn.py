"""`retrain` and `kpi`: learning from the log, and proving that it helped."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from zetaroute.cli import completion as complete
from zetaroute.cli.options import Json, Since, with_line
from zetaroute.cli.printing import console, moment, out, out_json
from zetaroute.cli.session import session
from zetaroute.errors import BarNotMetError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zetaroute.analysis.kpi_result import Comparison, KpiReport
    from zetaroute.cli.session import Run
    from zetaroute.config import Settings
    from zetaroute.domain import Figure
    from zetaroute.lifecycle.retrain_result import RetrainResult
    from zetaroute.log.log import Log
    from zetaroute.report.tables import Report


@dataclass(frozen=True, kw_only=True)
class RetrainLine:
    """What `retrain` can be told."""

    sources: list[str] | None = typer.Option(
        None, "--from", help="Learn from these DuckDB files, exports or Parquet globs; repeatable."
    )
    cluster: str | None = typer.Option(None, help="Let the workers of a Dask cluster learn: tcp://HOST:PORT.")
    since: Since = None
    promote: Literal["auto", "never", "force"] = typer.Option(
        "auto", help="auto (when proven; challenges until then), never, force."
    )
    jobs: int = typer.Option(1, min=1, help="Threads of the linear algebra.")
    seed: int = typer.Option(0, min=0)
    strict: bool = typer.Option(False, "--strict", help="Exit with 4 unless the verdict is PROMOTE.")
    if_stale: bool = typer.Option(
        False, "--if-stale", help="Only with enough new graded rows, or after drift."
    )
    min_rows: int | None = typer.Option(None, min=1, help="With --if-stale: new graded rows that are enough.")
    json: Json = False


@dataclass(frozen=True, kw_only=True)
class KpiLine:
    """What `kpi` can be told."""

    compare: bool = typer.Option(False, "--compare", help="The current version against its predecessor.")
    before: str | None = typer.Option(None, autocompletion=complete.versions, help="Compare this version ...")
    after: str | None = typer.Option(None, autocompletion=complete.versions, help="... with this one.")
    by: Literal["task", "model", "segment", "day", "version"] | None = typer.Option(
        None, help="Also for each of these alone."
    )
    since: Since = None
    version: str | None = typer.Option(
        None, autocompletion=complete.versions, help="Only queries whose model this version chose."
    )
    run: str | None = typer.Option(None, help="Only rows of this run, as the log names it.")
    fail_under: list[str] | None = typer.Option(None, help="KPI=VALUE; exit with 4 when it is missed.")
    html: Path | None = typer.Option(None, help="Write it as a page, one HTML file.")
    examples: bool = typer.Option(
        False, "--examples", help="With --compare --html: some of the queries themselves."
    )
    json: Json = False


@with_line
def retrain_command(context: typer.Context, line: RetrainLine) -> None:
    """Promote the challenger that the evidence proves, and learn the next one from all of the log.

    \b
    Examples
      zetaroute retrain
      zetaroute retrain --promote never --json
      zetaroute retrain --from ~/.local/share/zetaroute/zetaroute.duckdb --from "exports/*"
      zetaroute retrain --from "s3://logs/zetaroute" --cluster tcp://scheduler:8786
      zetaroute retrain --if-stale            from cron or a systemd timer: see docs/periodic.md
    """
    if line.min_rows is not None and not line.if_stale:
        raise UsageError("--min-rows says when --if-stale is enough: give that too.")
    run = session(context)
    settings = run.settings()
    if line.if_stale and not _is_stale(run, settings, min_rows=line.min_rows, json=line.json):
        return
    with run.working("learning from the log"):
        done = run.open().retrain(
            seed=line.seed,
            jobs=line.jobs,
            since=moment(line.since),
            sources=line.sources or (),
            cluster=line.cluster,
            promote=line.promote,
        )
    if line.json:
        out_json(done.json())
    else:
        _show_retrain(done)
    _tell_lost_guards(run, settings)
    if line.strict and done.verdict != "PROMOTE":
        raise BarNotMetError(f"the verdict is {done.verdict}, and --strict asks for PROMOTE.")


def _show_retrain(done: RetrainResult) -> None:
    from zetaroute.report.retrain_report import retrain_report
    from zetaroute.report.terminal import show_report

    show_report(console(), retrain_report(done.json()))
    beside = f"; a challenger is given {100 * done.share:.0f}% of the queries" if done.share else ""
    serves = "serves from now on" if done.promoted else f"goes on serving{beside}"
    out(f"{done.serves} {serves}; report: {done.report}")


def _tell_lost_guards(run: Run, settings: Settings) -> None:
    """Say which guards name a kind of query that the version in use calls otherwise, as after a new map."""
    if not any(rule.segment for rule in settings.guards):
        return
    from zetaroute.analysis.guard_trial import lost
    from zetaroute.router.router import open_router

    for words in lost(open_router(run.home, settings).policy, settings.guards):
        run.note(words)


def _is_stale(run: Run, settings: Settings, *, min_rows: int | None, json: bool) -> bool:
    """Say in one line why it is, or is not, time to learn again."""
    from zetaroute.analysis.log_drift import find_drift
    from zetaroute.lifecycle.staleness import staleness

    with run.log().open() as connection:
        found = find_drift(connection, run.home, settings)
    told = staleness(found, min_rows=min_rows)
    if told.stale:
        run.note(f"retraining: {told.words}")
    elif json:
        out_json({"artifact": None, "stale": False, "reasons": [told.words], "drift": found.json()})
    else:
        out(f"nothing to do: {told.words}")
    return told.stale


@with_line
def kpi_command(context: typer.Context, line: KpiLine) -> None:
    """Show the key figures: accuracy, satisfaction, response time, cost; with --compare before against after.

    \b
    Examples
      zetaroute kpi --by task
      zetaroute kpi --version current
      zetaroute kpi --compare --html report.html
      zetaroute kpi --since 7d --fail-under accuracy=0.8
    """
    from zetaroute.report.kpi_report import compare_report, kpi_report
    from zetaroute.report.terminal import plain, show_report

    bars = [_bar(one) for one in line.fail_under or ()]
    (run := session(context)).settings()
    opened = run.open()
    comparing = bool(line.compare or line.before or line.after)
    if line.examples and not (comparing and line.html):
        raise UsageError("--examples puts queries into a page: it needs --compare and --html FILE.")
    if comparing and (line.version or line.run):
        raise UsageError("--version and --run leave no two versions to compare: leave them or --compare out.")
    since = moment(line.since)
    found: KpiReport | Comparison
    with run.working("reading the log"):
        if comparing:
            found = versus = opened.compare(
                before=line.before, after=line.after, since=since, examples=line.examples
            )
            figures, report = versus.after.kpis, compare_report(versus.json())
        else:
            found = told = opened.kpi(
                since=since, by=line.by, version=line.version, run=line.run, over_time=line.html is not None
            )
            figures, report = told.kpis, kpi_report(told.json())
    if line.html is not None:
        _write_page(run, opened.log, line.html, report)
    if line.json:
        out_json(found.json())
    else:
        show_report(console(), report)
        console().print(plain(found.drift.line), style="dim", soft_wrap=True)
    _check_bars(bars, figures)


def _write_page(run: Run, log: Log, path: Path, report: Report) -> None:
    from zetaroute.files.atomic import SHARED, os_errors, write_whole
    from zetaroute.log.noted_exports import note_export
    from zetaroute.report.html import page

    text = page(report).encode()
    with os_errors(f"--html {path} cannot be written", "name another file.", UsageError):
        write_whole(path, text, mode=SHARED)
    note_export(log, path)
    run.note(f"the page is {path}")


def _bar(bar: str) -> tuple[str, float]:
    """Return the KPI and the limit of KPI=VALUE; raises UsageError for anything else."""
    from zetaroute.report.figure_words import KPIS

    names = {kpi.name.removesuffix("_rate").removesuffix("_score"): kpi.name for kpi in KPIS} | {
        kpi.name: kpi.name for kpi in KPIS
    }
    name, _, wanted = bar.partition("=")
    try:
        limit = float(wanted)
    except ValueError:
        limit = math.nan
    if math.isnan(limit):
        raise UsageError(f"--fail-under {bar!r} must look like accuracy=0.8.")
    if name not in names:
        known = ", ".join(kpi.name for kpi in KPIS)
        raise UsageError(f"--fail-under names {name!r}: choose one of {known}.")
    return names[name], limit


def _check_bars(bars: list[tuple[str, float]], figures: Mapping[str, Figure]) -> None:
    """Hold figures against their bars: times, costs and errors must not pass them, the others must reach them."""
    from zetaroute.report.figure_words import KPIS

    lower_is_better = {kpi.name for kpi in KPIS if kpi.higher_is_better is False}
    for name, limit in bars:
        value = figures[name].value if name in figures else None
        if value is None:
            raise BarNotMetError(f"{name} is unknown, and the bar is {limit:g}.")
        if name in lower_is_better and value > limit:
            raise BarNotMetError(f"{name} is {value:.4g}, above {limit:g}.")
        if name not in lower_is_better and value < limit:
            raise BarNotMetError(f"{name} is {value:.4g}, below {limit:g}.")
