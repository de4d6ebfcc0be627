"""`retrain` and `kpi`: learning from the log, and proving that it helped."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from zetaroute.cli import completion as complete
from zetaroute.cli.options import Json
from zetaroute.cli.printing import console, out, out_json
from zetaroute.cli.session import session
from zetaroute.errors import BarNotMetError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zetaroute.analysis.kpi_result import Comparison, KpiReport
    from zetaroute.cli.session import Run
    from zetaroute.config import Settings
    from zetaroute.domain import Figure
    from zetaroute.lifecycle.retrain_result import RetrainResult

Since = Annotated[
    str | None, typer.Option("--since", help="Only rows since this moment: 2026-01-31, 7d, 12h.")
]
Promote = Annotated[
    Literal["auto", "never", "force"],
    typer.Option("--promote", help="auto (when proven; challenges until then), never, force."),
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 4 unless the verdict is PROMOTE.")]
Compare = Annotated[bool, typer.Option("--compare", help="The current version against its predecessor.")]
Before = Annotated[
    str | None, typer.Option("--before", autocompletion=complete.versions, help="Compare this version ...")
]
After = Annotated[
    str | None, typer.Option("--after", autocompletion=complete.versions, help="... with this one.")
]
By = Annotated[
    Literal["task", "model", "segment", "day", "version"] | None,
    typer.Option("--by", help="Also for each of these alone."),
]
OfVersion = Annotated[
    str | None,
    typer.Option(
        "--version", autocompletion=complete.versions, help="Only queries whose model this version chose."
    ),
]
OfRun = Annotated[str | None, typer.Option("--run", help="Only rows of this run, as the log names it.")]
FailUnder = Annotated[
    list[str] | None,
    typer.Option("--fail-under", help="KPI=VALUE; exit with 4 when it is missed."),
]
Html = Annotated[Path | None, typer.Option("--html", help="Write it as a page, one HTML file.")]
Examples = Annotated[
    bool, typer.Option("--examples", help="With --compare --html: some of the queries themselves.")
]


def retrain_command(
    context: typer.Context,
    sources: Annotated[
        list[str] | None,
        typer.Option("--from", help="Learn from these DuckDB files, exports or Parquet globs; repeatable."),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", help="Let the workers of a Dask cluster learn: tcp://HOST:PORT."),
    ] = None,
    since: Since = None,
    promote: Promote = "auto",
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Threads of the linear algebra.")] = 1,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    strict: Strict = False,
    if_stale: Annotated[
        bool, typer.Option("--if-stale", help="Only with enough new graded rows, or after drift.")
    ] = False,
    min_rows: Annotated[
        int | None,
        typer.Option("--min-rows", min=1, help="With --if-stale: new graded rows that are enough."),
    ] = None,
    json: Json = False,
) -> None:
    """Promote the challenger that the evidence proves, and learn the next one from all of the log.

    \b
    Examples
      zetaroute retrain
      zetaroute retrain --promote never --json
      zetaroute retrain --from ~/.local/share/zetaroute/zetaroute.duckdb --from "exports/*"
      zetaroute retrain --from "s3://logs/zetaroute" --cluster tcp://scheduler:8786
      zetaroute retrain --if-stale            from cron or a systemd timer: see docs/periodic.md
    """
    from zetaroute.cli.printing import moment

    if min_rows is not None and not if_stale:
        raise UsageError("--min-rows says when --if-stale is enough: give that too.")
    run = session(context)
    settings = run.settings()
    if if_stale and not _is_stale(run, settings, min_rows=min_rows, json=json):
        return
    with run.working("learning from the log"):
        done = run.open().retrain(
            seed=seed,
            jobs=jobs,
            since=moment(since),
            sources=sources or (),
            cluster=cluster,
            promote=promote,
        )
    if json:
        out_json(done.json())
    else:
        _show_retrain(done)
    _tell_lost_guards(run, settings)
    if strict and done.verdict != "PROMOTE":
        raise BarNotMetError(f"the verdict is {done.verdict}, and --strict asks for PROMOTE.")


def _show_retrain(done: RetrainResult) -> None:
    from zetaroute.report.retrain_report import retrain_report
    from zetaroute.report.terminal import show_report

    show_report(console(), retrain_report(done.json()))
    out(f"{_now_serves(done)}; report: {done.report}")


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


def _now_serves(done: RetrainResult) -> str:
    beside = f"; a challenger is given {100 * done.share:.0f}% of the queries" if done.share else ""
    if done.promoted:
        return f"{done.serves} serves from now on"
    return f"{done.serves} goes on serving{beside}"


def kpi_command(
    context: typer.Context,
    compare: Compare = False,
    before: Before = None,
    after: After = None,
    by: By = None,
    since: Since = None,
    version: OfVersion = None,
    of_run: OfRun = None,
    fail_under: FailUnder = None,
    html: Html = None,
    examples: Examples = False,
    json: Json = False,
) -> None:
    """Show the key figures: accuracy, satisfaction, response time, cost; with --compare before against after.

    \b
    Examples
      zetaroute kpi --by task
      zetaroute kpi --version current
      zetaroute kpi --compare --html report.html
      zetaroute kpi --since 7d --fail-under accuracy=0.8
    """
    from zetaroute.cli.printing import moment
    from zetaroute.log.noted_exports import note_export
    from zetaroute.report.html import page
    from zetaroute.report.kpi_report import compare_report, kpi_report
    from zetaroute.report.terminal import plain, show_report

    bars = [_bar(one) for one in fail_under or ()]
    (run := session(context)).settings()
    opened = run.open()
    comparing = bool(compare or before or after)
    if examples and not (comparing and html):
        raise UsageError("--examples puts queries into a page: it needs --compare and --html FILE.")
    if comparing and (version or of_run):
        raise UsageError("--version and --run leave no two versions to compare: leave them or --compare out.")
    found: KpiReport | Comparison
    with run.working("reading the log"):
        if comparing:
            found = versus = opened.compare(
                before=before, after=after, since=moment(since), examples=examples
            )
            figures, report = versus.after.kpis, compare_report(versus.json())
        else:
            course = html is not None
            found = told = opened.kpi(
                since=moment(since), by=by, version=version, run=of_run, over_time=course
            )
            figures, report = told.kpis, kpi_report(told.json())
    if html is not None:
        _write_page(html, page(report))
        note_export(opened.log, html)
        run.note(f"the page is {html}")
    if json:
        out_json(found.json())
    else:
        show_report(console(), report)
        console().print(plain(found.drift.line), style="dim", soft_wrap=True)
    _check_bars(bars, figures)


def _write_page(path: Path, page: str) -> None:
    from zetaroute.files.atomic import SHARED, write_whole

    try:
        write_whole(path, page.encode(), mode=SHARED)
    except OSError as error:
        raise UsageError(f"--html {path} cannot be written ({error.strerror}): name another file.") from error


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
