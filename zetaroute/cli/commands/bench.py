"""`bench` and `replay`: what the learner is worth on recorded outcomes of real models."""

from __future__ import annotations

from dataclasses import dataclass
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from zetaroute.cli.options import Json, with_line
from zetaroute.cli.printing import console, out_json, say
from zetaroute.cli.session import session

if TYPE_CHECKING:
    from zetaroute.bench.datasets import Recordings
    from zetaroute.config import Objective


@dataclass(frozen=True, kw_only=True)
class RecordingsLine:
    """What `bench` and `replay` can be told."""

    file: Path = typer.Argument(
        ..., help="Recorded outcomes: Parquet, or what RouteLLM, LLMRouter or lm-eval write."
    )
    train_split: str = typer.Option("train", help="Rows to learn from.")
    test_split: str = typer.Option("test", help="Rows to mark by.")
    test_share: float = typer.Option(0.3, min=0.1, max=0.9, help="Test share of a file without splits.")
    models: str | None = typer.Option(None, help="Only these, separated by commas.")
    answer_value_usd: float = typer.Option(0.01, min=0, help="What a right answer is worth.")
    second_value_usd: float = typer.Option(0.0005, min=0, help="What a second of waiting costs.")
    use_task: bool = typer.Option(False, "--use-task", help="Use the recorded task labels as features.")
    chain: bool = typer.Option(
        True, "--chain/--no-chain", help="Where answers were recorded: also ways that look at them."
    )
    seed: int = typer.Option(0, min=0, help="Of the fit and of the draws.")
    jobs: int = typer.Option(2, min=1, help="Fits at once.")
    json: Json = False

    def recordings(self) -> Recordings:
        """Return the recorded outcomes, split."""
        from zetaroute.bench.datasets import read_recordings

        return read_recordings(
            self.file,
            models=[name.strip() for name in self.models.split(",") if name.strip()] if self.models else None,
            train_split=self.train_split,
            test_split=self.test_split,
            test_share=self.test_share,
        )

    def objective(self) -> Objective:
        """Return what answers and seconds are worth."""
        from zetaroute.config import Objective

        return Objective(
            answer_value_usd=self.answer_value_usd,
            satisfaction_value_usd=0.0,
            second_value_usd=self.second_value_usd,
        )


@dataclass(frozen=True, kw_only=True)
class BenchLine(RecordingsLine):
    """What `bench` can be told."""

    sweep: bool = typer.Option(False, "--sweep", help="Also at eight values of an answer: the whole curve.")
    output: Path | None = typer.Option(
        None, "-o", "--output", help="Folder for bench.json, bench.md and bench.svg."
    )


@dataclass(frozen=True, kw_only=True)
class ReplayLine(RecordingsLine):
    """What `replay` can be told."""

    rounds: int = typer.Option(10, min=1, help="Points at which it reports.")
    rows: int = typer.Option(6000, min=1, help="Answers in all, those of audits included.")
    explore: float | None = typer.Option(
        None, min=0, max=1, help="Share explored all along; default as in the config."
    )
    audit: float | None = typer.Option(
        None, min=0, max=1, help="Share of the queries that are audited; default as in the config."
    )
    seeds: int = typer.Option(1, min=1, help="Replays, from --seed upwards; more than one brings means.")


@with_line
def bench_command(context: typer.Context, line: BenchLine) -> None:
    """Fit on recorded outcomes, route the test rows, and compare with what is simple.

    \b
    Examples
      zetaroute bench outcomes.parquet
      zetaroute bench outcomes.parquet --models small,large --answer-value-usd 0.05 --json
      zetaroute bench lm-eval-results/ --sweep -o report
    """
    from zetaroute.bench.full_information import bench_full_information
    from zetaroute.bench.sweep import sweep

    recordings = line.recordings()
    with session(context).working("learning from the recordings"):
        found = (sweep if line.sweep else bench_full_information)(
            recordings,
            objective=line.objective(),
            seed=line.seed,
            jobs=line.jobs,
            use_task=line.use_task,
            chain=line.chain,
        )
    if line.output is not None:
        _write(line.output, found)
    if line.json:
        out_json(found)
        return
    from zetaroute.bench.bench_report import bench_report
    from zetaroute.report.terminal import show_report

    show_report(console(), bench_report(found))


@with_line
def replay_command(context: typer.Context, line: ReplayLine) -> None:
    """Play the whole loop on recorded outcomes: only the outcomes of the models that it asks are seen.

    \b
    Examples
      zetaroute replay outcomes.parquet --rounds 10 --rows 6000
      zetaroute replay outcomes.parquet --audit 0.25 --seed 3 --json
      zetaroute replay outcomes.parquet --seeds 8 --jobs 4
    """
    from zetaroute.bench.replay import ReplayPlan, replay
    from zetaroute.bench.replay_seeds import replay_seeds

    recordings, objective = line.recordings(), line.objective()
    plan = ReplayPlan(
        rounds=line.rounds,
        rows=line.rows,
        explore=line.explore,
        seed=line.seed,
        audit=line.audit,
        use_task=line.use_task,
        chain=line.chain,
    )
    with session(context).working("playing the recordings"):
        if line.seeds == 1:
            found = replay(recordings, objective=objective, plan=plan, jobs=line.jobs)
        else:
            every = range(line.seed, line.seed + line.seeds)
            found = replay_seeds(recordings, objective=objective, plan=plan, seeds=every, jobs=line.jobs)
    if line.json:
        out_json(found)
        return
    from zetaroute.bench.bench_report import replay_report, seeds_report
    from zetaroute.report.terminal import show_report

    show_report(console(), replay_report(found) if line.seeds == 1 else seeds_report(found))


def _write(folder: Path, found: dict[str, Any]) -> None:
    """Write the JSON, the Markdown and the picture; say so where the picture cannot be drawn."""
    from zetaroute.bench.bench_picture import bench_picture, hindrance
    from zetaroute.bench.bench_report import bench_report
    from zetaroute.errors import UsageError
    from zetaroute.files.atomic import SHARED, os_errors, write_whole
    from zetaroute.report.markdown import markdown

    text = dumps(found, ensure_ascii=False, allow_nan=False, indent=1)
    hindered = hindrance(found)
    picture = "bench.svg" if hindered is None else None
    with os_errors(f"cannot write to {folder}", "choose another -o.", UsageError):
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / "bench.json", (text + "\n").encode(), mode=SHARED)
        write_whole(folder / "bench.md", markdown(bench_report(found, picture=picture)).encode(), mode=SHARED)
        if picture is not None:
            write_whole(folder / picture, bench_picture(found).encode(), mode=SHARED)
    say(f"wrote {folder}" if hindered is None else f"wrote {folder}; {hindered}")
