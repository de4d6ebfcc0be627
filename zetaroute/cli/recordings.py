"""`bench` and `replay`: what the learner is worth on recorded outcomes of real models."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zetaroute.cli.render import console, out_json

if TYPE_CHECKING:
    from zetaroute.config import Objective
    from zetaroute.learn.recordings import Recordings

File = Annotated[Path, typer.Argument(help="Parquet: one row per query and model.")]
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
Json = Annotated[bool, typer.Option("--json", help="Print everything as JSON.")]
Rounds = Annotated[int, typer.Option("--rounds", min=1, help="Retrains.")]
Rows = Annotated[int, typer.Option("--rows", min=1, help="Queries in all, drawn without replacement.")]
ExploreRate = Annotated[
    float | None,
    typer.Option("--explore", min=0, max=1, help="Share explored uniformly; default as in the config."),
]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command("bench")(bench_command)
    app.command("replay")(replay_command)


def bench_command(
    file: File,
    train_split: TrainSplit = "train",
    test_split: TestSplit = "test",
    test_share: TestShare = 0.3,
    models: Models = None,
    answer_value_usd: AnswerValue = 0.01,
    second_value_usd: SecondValue = 0.0005,
    use_task: UseTask = False,
    seed: Seed = 0,
    jobs: Jobs = 2,
    json: Json = False,
) -> None:
    """Fit on recorded outcomes, route the test rows, and compare with what is simple.

    \b
    Examples
      zetaroute bench outcomes.parquet
      zetaroute bench outcomes.parquet --models small,large --answer-value-usd 0.05 --json
    """
    from zetaroute.flows.bench import bench

    recordings = _read(file, train_split, test_split, test_share, models)
    found = bench(
        recordings,
        objective=_objective(answer_value_usd, second_value_usd),
        seed=seed,
        jobs=jobs,
        use_task=use_task,
    )
    if json:
        out_json(found)
        return
    from zetaroute.report.terminal import show_bench

    show_bench(console(), found)


def replay_command(
    file: File,
    rounds: Rounds = 10,
    rows: Rows = 6000,
    explore: ExploreRate = None,
    train_split: TrainSplit = "train",
    test_split: TestSplit = "test",
    test_share: TestShare = 0.3,
    models: Models = None,
    answer_value_usd: AnswerValue = 0.01,
    second_value_usd: SecondValue = 0.0005,
    use_task: UseTask = False,
    seed: Seed = 0,
    jobs: Jobs = 2,
    json: Json = False,
) -> None:
    """Play the whole loop on recorded outcomes: only the drawn model's outcome is seen, round by round.

    \b
    Examples
      zetaroute replay outcomes.parquet --rounds 10 --rows 6000
      zetaroute replay outcomes.parquet --explore 0.05 --seed 3 --json
    """
    from zetaroute.config import Home
    from zetaroute.flows.replay import Plan, replay

    recordings = _read(file, train_split, test_split, test_share, models)
    with tempfile.TemporaryDirectory(prefix="zetaroute-replay-") as folder:
        found = replay(
            recordings,
            home=Home(Path(folder)),
            objective=_objective(answer_value_usd, second_value_usd),
            plan=Plan(rounds=rounds, rows=rows, explore=explore, seed=seed, use_task=use_task),
            jobs=jobs,
        )
    if json:
        out_json(found)
        return
    from zetaroute.report.terminal import show_replay

    show_replay(console(), found)


def _read(file: Path, train_split: str, test_split: str, test_share: float, models: str | None) -> Recordings:
    from zetaroute.learn.recordings import read_recordings

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
