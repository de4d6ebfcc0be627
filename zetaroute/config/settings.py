"""The settings and how config.toml becomes them; `default.toml` serves where there is no config."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path

from zetaroute.config.grading import NamedGrader, TaskCheck, read_checks, read_graders
from zetaroute.config.models import Embedding, arm_named, read_arms, read_embedding
from zetaroute.config.prices import SOURCE, priced, read_prices
from zetaroute.config.privacy import (
    DEFAULT_PRIVACY,
    DEFAULT_RULES,
    Privacy,
    TagRule,
    read_privacy,
    read_rules,
)
from zetaroute.config.serving import Serving, read_serving
from zetaroute.config.toml_table import TomlTable
from zetaroute.domain import ALL_TASKS, Arm, Objective, query_kind_key
from zetaroute.domain.arm import Share
from zetaroute.errors import ConfigError
from zetaroute.files.utf8_text import read_text

GUARD_METRICS = {"accuracy": 1.0, "satisfaction": 1.0, "error_rate": 1.0, "p95_response_s": math.inf}
"""What a guard may name, with the most that it can be."""
SCHEMA_VERSION = 1


PRESETS = {
    "balanced": Objective(),
    "quality": Objective(answer_value_usd=0.1, satisfaction_value_usd=0.02, second_value_usd=0.0005),
    "cheap": Objective(answer_value_usd=0.001, satisfaction_value_usd=0.0002, second_value_usd=0.00005),
    "fast": Objective(answer_value_usd=0.01, satisfaction_value_usd=0.002, second_value_usd=0.005),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explore:
    """Share of queries that are spread over the eligible models; a cold start begins with the second."""

    rate: Share = 0.05
    cold_start_rate: Share = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionGate:
    """Margins that a candidate policy must keep to be promoted; None means not asked for."""

    accuracy_margin: Share = 0.02
    satisfaction_margin: Share | None = None
    cost_margin: float | None = None
    """A share: .10 lets the cost per query rise by 10%."""
    response_margin: float | None = None
    """A share of the mean response time."""
    response_limit_s: float | None = None
    limit_margin: Share | None = None
    """How much the share of answers slower than `response_limit_s` may rise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardRule:
    """A floor or a ceiling beyond which a model is not used any more, for one kind of query or for all."""

    metric: str
    bound: float
    task: str | None = None
    segment: str | None = None
    """A learned kind of query, by the name that reports call it."""
    model: str | None = None

    @property
    def place(self) -> str:
        """The kind of query whose tallies it looks at, as standings key them."""
        return query_kind_key(self.task, self.segment) or ALL_TASKS


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What may be spent, in USD; None: as much as it takes."""

    daily_usd: float | None = None
    """From midnight to midnight, UTC."""
    monthly_usd: float | None = None
    """From the first of the month, UTC."""
    taper: bool = False
    """Whether money counts for more while a budget is spent faster than its time goes by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratings:
    """How often people are asked what they think of an answer."""

    ask_share: Share = 0.1
    """Share of the answers on a terminal after which a rating is asked for; 0: never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audits:
    """Queries that several models are asked, to learn from, beside the one that answers."""

    share: Share | None = None
    """Of the queries whose answers can be graded; None: more until the first promotion than after it. 0: never."""
    budget_usd: float | None = None
    """A day, UTC; None: as much as it takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chains:
    """Whether answers are looked at before they are given, and other models asked then."""

    enabled: bool = True
    not_for: tuple[str, ...] = ()
    """Task labels whose queries one model answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Challengers:
    """How new versions are made, and what trying them may lose; None: no limit."""

    auto: bool = False
    """Whether a running `batch` or `serve` starts `retrain` when the log has grown."""
    max_regret_usd: float | None = None
    """A month."""
    max_regret_share: Share | None = None
    """A month, of what the champion's answers are worth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that config.toml says."""

    arms: tuple[Arm, ...]
    objective: Objective = field(default_factory=Objective)
    explore: Explore = Explore()
    gate: PromotionGate = PromotionGate()
    guards: tuple[GuardRule, ...] = ()
    budget: Budget = Budget()
    embedding: Embedding | None = None
    graders: tuple[NamedGrader, ...] = ()
    privacy: Privacy = DEFAULT_PRIVACY
    rules: tuple[TagRule, ...] = DEFAULT_RULES
    ratings: Ratings = Ratings()
    audits: Audits = Audits()
    chains: Chains = Chains()
    challengers: Challengers = Challengers()
    checks: tuple[TaskCheck, ...] = ()
    serving: Serving = field(default_factory=Serving)
    file: Path | None = None
    """None: no config was found and the practice models serve."""

    @property
    def names(self) -> dict[str, str]:
        """Every name of an arm, with its id: the ids themselves and the aliases."""
        return {name: arm.id for arm in self.arms for name in (arm.id, *arm.aliases)}

    def arm(self, model: str) -> Arm:
        """Return the arm with this id or alias; raise ConfigError with the ids that exist."""
        if found := arm_named(self.arms, model):
            return found
        from difflib import get_close_matches

        known = [arm.id for arm in self.arms]
        meant = [one for one in known if one.endswith(f"/{model}")] or get_close_matches(model, known, n=1)
        hint = f" (did you mean {meant[0]}?)" if meant else ""
        raise ConfigError(f"no model is called {model!r}{hint}; configured are {', '.join(known)}.")


def default_config_text() -> str:
    """Return the commented config that serves when there is none, and that `init` writes."""
    return (Path(__file__).parent / "default.toml").read_text(encoding="utf-8")


def load_settings(option: Path | None, home_config: Path) -> Settings:
    """Read the config named by `option`, else the home's, else the built-in one; add imported prices.

    Raises ConfigError, naming the file, when it is absent, unreadable, broken or holds a mistake.
    """
    settings = _read_settings(option or (home_config if home_config.exists() else None))
    imported = read_prices(home_config.with_name(SOURCE))
    return replace(settings, arms=tuple(priced(arm, imported.get(arm.id)) for arm in settings.arms))


def _read_settings(file: Path | None) -> Settings:
    if file is None:
        return parse_settings(default_config_text(), file=None)
    try:
        text = read_text(file)
    except FileNotFoundError:
        raise ConfigError(f"{file}: there is no such config file; `zetaroute init` writes one.") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: cannot be read as UTF-8 text ({error}).") from error
    return parse_settings(text, file=file)


def parse_settings(text: str, *, file: Path | None) -> Settings:
    """Turn the text of a config into settings; relative paths count from the config's folder."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file or 'the built-in config'}: is not valid TOML: {error}.") from error
    root = TomlTable(values, file=file)
    if (root.whole("schema_version") or SCHEMA_VERSION) > SCHEMA_VERSION:
        root.fail(f"has a schema_version newer than {SCHEMA_VERSION}: upgrade zetaroute.")
    folder = file.parent if file else Path()
    arms = read_arms(root, folder=folder)
    if not arms:
        root.fail("names no model: add a [[models]] block.")
    rules = read_rules(root.tables("rules"))
    settings = Settings(
        arms=arms,
        objective=_objective(root.table("objective")),
        explore=root.section("explore", Explore),
        gate=_gate(root),
        guards=tuple(_guard(table, arms) for table in root.tables("guards")),
        budget=root.section("budget", Budget),
        embedding=read_embedding(root.table("embedding")),
        graders=read_graders(root.table("graders"), arms),
        privacy=read_privacy(root, rules),
        rules=rules,
        ratings=root.section("ratings", Ratings),
        audits=root.section("audit", Audits),
        chains=root.section("chain", Chains),
        challengers=_challengers(root),
        checks=read_checks(root.tables("checks"), folder=folder),
        serving=read_serving(root),
        file=file,
    )
    root.finish()
    return settings


def _objective(table: TomlTable | None) -> Objective:
    if table is None:
        return Objective()
    base = PRESETS[table.choice("preset", tuple(PRESETS), "balanced")]
    objective = table.change(base, "answer_value_usd", "satisfaction_value_usd", "second_value_usd")
    table.finish()
    return objective


def _gate(root: TomlTable) -> PromotionGate:
    gate = root.section("gate", PromotionGate)
    if (gate.response_limit_s is None) != (gate.limit_margin is None):
        root.fail("[gate] needs response_limit_s and limit_margin together.")
    return gate


def _challengers(root: TomlTable) -> Challengers:
    found = root.section("challenger", Challengers)
    if found.max_regret_usd is not None and found.max_regret_share is not None:
        root.fail("[challenger] needs max_regret_usd or max_regret_share, not both.")
    if found.max_regret_usd == 0 or found.max_regret_share == 0:
        root.fail(
            "[challenger] needs a limit above 0; `zetaroute policies pin` lets no challenger serve at all."
        )
    return found


def _guard(table: TomlTable, arms: tuple[Arm, ...]) -> GuardRule:
    metric = table.choice("metric", tuple(GUARD_METRICS))
    side, other = ("min", "max") if metric in {"accuracy", "satisfaction"} else ("max", "min")
    bound = table.number(side, high=GUARD_METRICS[metric])
    if table.number(other) is not None or bound is None:
        table.fail(f"with metric {metric} needs {side}, and no {other}.")
    rule = table.read(GuardRule, metric=metric, bound=bound)
    if rule.task and rule.segment:
        table.fail(
            "names a task and a segment: a query with a task label lies in no other segment, so give one."
        )
    if rule.model is None:
        return rule
    arm = arm_named(arms, rule.model)
    if arm is None:
        table.fail(f"names the model {rule.model!r}, which no [[models]] block defines.")
    return replace(rule, model=arm.id)
