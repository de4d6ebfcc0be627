"""`bench` and `replay`: what the learner is worth on recorded outcomes of real models."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zetaroute.cli.options import Json
from zetaroute.cli.printing import console, out_json, say
from zetaroute.cli.session import session

if TYPE_CHECKING:
    from zetaroute.bench.datasets import Recordings
    from zetaroute.config import Objective

File = Annotated[
    Path, typer.Argument(help="Recorded outcomes: Parquet, or what RouteLLM, LLMRouter or lm-eval write.")
]
TrainSplit = Annotated[str, typer.Option("--train-split", help="Rows to learn from.")]
TestSplit = Annotated[str, typer.Option("--test-split", help="Rows to mark by.")]
TestShare = Annotated[
    float, typer.Option("--test-share", min=0.1, max=0.9, help="Test share of a file without splits.")
]
Models = Annotated[str | None, typer.Option("--models", help="Only these, separated by commas.")]
AnswerValue = Annotated[
    float, typer.Option("--answer-value-usd", min=0, help="What a right answer is worth.")
]
SecondValue = Annotated[
    float, typer.Option("--second-value-usd", min=0, help="What a second of waiting costs.")
]
UseTask = Annotated[bool, typer.Option("--use-task", help="Use the recorded task labels as features.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of the fit and of the draws.")]
Jobs = Annotated[int, typer.Option("--jobs", min=1, help="Fits at once.")]
Sweep = Annotated[bool, typer.Option("--sweep", help="Also at eight values of an answer: the whole curve.")]
Chain = Annotated[
    bool, typer.Option("--chain/--no-chain", help="Where answers were recorded: also ways that look at them.")
]
Output = Annotated[
    Path | None, typer.Option("-o", "--output", help="Folder for bench.json, bench.md and bench.svg.")
]
Seeds = Annotated[
    int, typer.Option("--seeds", min=1, help="Replays, from --seed upwards; more than one brings means.")
]
Rounds = Annotated[int, typer.Option("--rounds", min=1, help="Points at which it reports.")]
Rows = Annotated[int, typer.Option("--rows", min=1, help="Answers in all, those of audits included.")]
ExploreRate = Annotated[
    float | None,
    typer.Option("--explore", min=0, max=1, help="Share explored all along; default as in the config."),
]
AuditShare = Annotated[
    float | None,
    typer.Option(
        "--audit", min=0, max=1, help="Share of the queries that are audited; default as in the config."
    ),
]


def bench_command(
    context: typer.Context,
    file: File,
    train_split: TrainSplit = "train",
    test_split: TestSplit = "test",
    test_share: TestShare = 0.3,
    models: Models = None,
    answer_value_usd: AnswerValue = 0.01,
    second_value_usd: SecondValue = 0.0005,
    use_task: UseTask = False,
    sweep: Sweep = False,
    chain: Chain = True,
    output: Output = None,
    seed: Seed = 0,
    jobs: Jobs = 2,
    json: Json = False,
) -> None:
    """Fit on recorded outcomes, route the test rows, and compare with what is simple.

    \b
    Examples
      zetaroute bench outcomes.parquet
      zetaroute bench outcomes.parquet --models small,large --answer-value-usd 0.05 --json
      zetaroute bench lm-eval-results/ --sweep -o report
    """
    from zetaroute.bench.full_information import bench_full_information
    from zetaroute.bench.sweep import sweep as bench_sweep

    recordings = _read(file, train_split, test_split, test_share, models)
    with session(context).working("learning from the recordings"):
        found = (bench_sweep if sweep else bench_full_information)(
            recordings,
            objective=_objective(answer_value_usd, second_value_usd),
            seed=seed,
            jobs=jobs,
            use_task=use_task,
            chain=chain,
        )
    if output is not None:
        _write(output, found)
    if json:
        out_json(found)
        return
    from zetaroute.bench.bench_report import bench_report
    from zetaroute.report.terminal import show_report

    show_report(console(), bench_report(found))


def replay_command(
    context: typer.Context,
    file: File,
    rounds: Rounds = 10,
    rows: Rows = 6000,
    explore: ExploreRate = None,
    audit: AuditShare = None,
    train_split: TrainSplit = "train",
    test_split: TestSplit = "test",
    test_share: TestShare = 0.3,
    models: Models = None,
    answer_value_usd: AnswerValue = 0.01,
    second_value_usd: SecondValue = 0.0005,
    use_task: UseTask = False,
    chain: Chain = True,
    seed: Seed = 0,
    seeds: Seeds = 1,
    jobs: Jobs = 2,
    json: Json = False,
) -> None:
    """Play the whole loop on recorded outcomes: only the outcomes of the models that it asks are seen.

    \b
    Examples
      zetaroute replay outcomes.parquet --rounds 10 --rows 6000
      zetaroute replay outcomes.parquet --audit 0.25 --seed 3 --json
      zetaroute replay outcomes.parquet --seeds 8 --jobs 4
    """
    from zetaroute.bench.replay import ReplayPlan, replay
    from zetaroute.bench.replay_seeds import replay_seeds

    recordings = _read(file, train_split, test_split, test_share, models)
    objective = _objective(answer_value_usd, second_value_usd)
    plan = ReplayPlan(
        rounds=rounds, rows=rows, explore=explore, seed=seed, audit=audit, use_task=use_task, chain=chain
    )
    with session(context).working("playing the recordings"):
        if seeds == 1:
            found = replay(recordings, objective=objective, plan=plan, jobs=jobs)
        else:
            every = range(seed, seed + seeds)
            found = replay_seeds(recordings, objective=objective, plan=plan, seeds=every, jobs=jobs)
    if json:
        out_json(found)
        return
    from zetaroute.bench.bench_report import replay_report, seeds_report
    from zetaroute.report.terminal import show_report

    show_report(console(), replay_report(found) if seeds == 1 else seeds_report(found))


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


def _read(file: Path, train_split: str, test_split: str, test_share: float, models: str | None) -> Recordings:
    from zetaroute.bench.datasets import read_recordings

    return read_recordings(
        file,
        models=[name.strip() for name in models.split(",") if name.strip()] if models else None,
        train_split=train_split,
        test_split=test_split,
        test_share=test_share,
    )


def _objective(answer_value_usd: float, second_value_usd: float) -> Objective:
    from zetaroute.config import Objective

    return Objective(
        answer_value_usd=answer_value_usd, satisfaction_value_usd=0.0, second_value_usd=second_value_usd
    )
