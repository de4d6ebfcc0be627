"""A decision: exact probabilities, the user's limits, health and guards, and nothing by chance but the draw."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from zetaroute.config import PRESETS, GuardRule, Objective
from zetaroute.domain import ALL_TASKS, Arm, AuditTerms, Check, Prices, Query, Standing, Tally
from zetaroute.errors import NoAnswerError
from zetaroute.policy import Contest, Limits, Policy, PriorPredictor, decide
from zetaroute.policy.contest import least_probabilities
from zetaroute.policy.escalation import CheckReliability

CHEAP = Arm(
    id="cheap",
    provider="practice",
    model="small",
    tags=("local",),
    prices=Prices(input=0.1, output=0.1),
    prior_accuracy=0.6,
    prior_response_s=0.1,
)
GOOD = Arm(
    id="good",
    provider="practice",
    model="large",
    prices=Prices(input=5, output=20),
    prior_accuracy=0.9,
    prior_response_s=1.0,
)
UNKNOWN = Arm(id="unpriced", provider="practice", model="medium", prior_accuracy=0.6, prior_response_s=0.1)
ARMS = (CHEAP, GOOD, UNKNOWN)
POLICY = Policy(version="v0000", predictor=PriorPredictor())


def decided(**changes):
    values = {
        "query": Query(text="hello there", task="greeting"),
        "arms": ARMS,
        "policy": POLICY,
        "objective": Objective(),
        "rate": 0.3,
        "guards": (),
        "standings": {},
        "limits": Limits(),
        "seed": 1,
        "now_s": 1000.0,
    }
    return decide(**(values | changes))


def by_model(decision):
    return {candidate.model: candidate for candidate in decision.candidates}


def test_probabilities_sum_to_one_and_keep_the_floor():
    found = decided()
    chances = [candidate.probability for candidate in found.candidates]
    assert sum(chances) == pytest.approx(1.0)
    assert 0.3 / 10 < min(chances) < 0.3 / 3, "the worst has less than an even share of what is explored"
    assert found.propensity == by_model(found)[found.model].probability


def test_same_seed_gives_the_same_decision():
    assert decided(seed=7) == decided(seed=7)


def test_draws_follow_the_logged_propensity():
    """The probability that is logged is the one that is drawn from, over many seeds."""
    n = 3000
    total, drawn = Counter(), Counter()
    for seed in range(n):
        found = decided(seed=seed)
        drawn[found.model] += 1
        for candidate in found.candidates:
            total[candidate.model] += candidate.probability
    for model in total:
        expected = total[model]
        assert abs(drawn[model] - expected) < 4 * np.sqrt(expected)


def test_what_failed_calls_take_counts_as_time_and_is_said():
    tally = Tally(calls=180, errors=10, lost_s=2.0)
    failing = decided(standings={"good": Standing(model="good", tallies={ALL_TASKS: tally})}, rate=0.0)
    was, now = by_model(decided(rate=0.0))["good"], by_model(failing)["good"]
    assert now.response_s.mean - was.response_s.mean == pytest.approx(2.0 * 180 / 200)
    assert was.utility_usd.mean - now.utility_usd.mean == pytest.approx(0.0005 * 1.8)
    assert now.accuracy == was.accuracy
    assert (was.reason, now.reason) == (
        "prior from the config",
        "prior from the config; failed calls add 1.8 s",
    )


def test_value_of_an_answer_decides_between_cheap_and_good():
    cheap = decided(objective=PRESETS["cheap"], rate=0.0)
    dear = decided(objective=PRESETS["quality"], rate=0.0)
    assert by_model(cheap)["cheap"].utility_usd.mean > by_model(cheap)["good"].utility_usd.mean
    assert by_model(dear)["good"].utility_usd.mean > by_model(dear)["cheap"].utility_usd.mean


def test_unknown_price_is_none_and_counts_as_the_most_expensive_unless_local():
    found = by_model(decided())
    assert found["unpriced"].cost_usd is None
    assert "price unknown, counted as the most expensive" in found["unpriced"].reason
    local = by_model(decided(arms=(CHEAP, GOOD, replace(UNKNOWN, tags=("local",)))))
    assert local["unpriced"].utility_usd.mean > found["unpriced"].utility_usd.mean
    assert "free: local" in local["unpriced"].reason


def test_pinned_model_has_no_propensity():
    found = decided(forced="good")
    assert (found.model, found.propensity, found.forced, found.explored) == ("good", None, True, False)


def test_a_kept_model_goes_on_without_propensity():
    found = decided(kept="good")
    assert (found.model, found.propensity, found.forced, found.pinned) == ("good", None, True, False)
    both = decided(forced="cheap", kept="good")
    assert (both.model, both.kept, both.pinned) == ("cheap", False, True)


@pytest.mark.parametrize(
    "limits", [Limits(local_only=True), Limits(max_cost_usd=1e-4), Limits(closed={"good": "no key"})]
)
def test_a_kept_model_that_the_limits_leave_out_is_replaced(limits):
    found = decided(kept="good", limits=limits)
    assert (found.model, found.forced, found.kept) == ("cheap", False, False)
    assert found.propensity is not None


def test_limits_exclude_with_a_reason_and_probability_zero():
    found = decided(limits=Limits(local_only=True))
    candidates = by_model(found)
    assert found.model == "cheap"
    assert candidates["cheap"].probability == 1.0
    assert (candidates["good"].eligible, candidates["good"].reason) == (False, "not local")
    costly = by_model(decided(limits=Limits(max_cost_usd=0.001)))
    assert not costly["good"].eligible
    assert "more than $0.001" in costly["good"].reason
    assert "price is unknown" in costly["unpriced"].reason


def test_limits_that_exclude_everybody_are_told():
    with pytest.raises(NoAnswerError, match="good: not local"):
        decided(arms=(GOOD,), limits=Limits(local_only=True))


@pytest.mark.parametrize(
    ("errors", "ago_s", "out"), [(2, 1, False), (3, 1, True), (3, 31, False), (5, 100, True)]
)
def test_failing_model_cools_down_longer_and_longer(errors, ago_s, out):
    standing = Standing(model="good", consecutive_errors=errors, last_error_s=1000.0 - ago_s)
    candidate = by_model(decided(standings={"good": standing}))["good"]
    assert candidate.eligible is not out
    assert ("cooling down" in candidate.reason) is out


def test_models_that_all_cool_down_are_asked_all_the_same():
    standings = {arm.id: Standing(model=arm.id, consecutive_errors=4, last_error_s=999.0) for arm in ARMS}
    assert all(candidate.eligible for candidate in decided(standings=standings).candidates)


def tallies(task: str = ALL_TASKS, **counts) -> dict[str, Standing]:
    return {"cheap": Standing(model="cheap", tallies={task: Tally(**counts)})}


@pytest.mark.parametrize(
    ("rule", "standings", "out"),
    [
        (GuardRule(metric="accuracy", bound=0.6), tallies(graded=100, accuracy=0.4), True),
        (GuardRule(metric="accuracy", bound=0.6), tallies(graded=100, accuracy=0.55), False),
        (GuardRule(metric="accuracy", bound=0.6), tallies(graded=19, accuracy=0.0), False),
        (GuardRule(metric="accuracy", bound=0.6, model="good"), tallies(graded=100, accuracy=0.1), False),
        (
            GuardRule(metric="accuracy", bound=0.6, task="other"),
            tallies("other", graded=90, accuracy=0.1),
            False,
        ),
        (
            GuardRule(metric="accuracy", bound=0.6, task="greeting"),
            tallies("greeting", graded=90, accuracy=0.1),
            True,
        ),
        (GuardRule(metric="error_rate", bound=0.2), tallies(calls=60, errors=30), True),
        (GuardRule(metric="error_rate", bound=0.2), tallies(calls=60, errors=14), False),
        (GuardRule(metric="p95_response_s", bound=2), tallies(p95_low_s=2.5), True),
        (GuardRule(metric="p95_response_s", bound=2), tallies(p95_low_s=None), False),
        (
            GuardRule(metric="satisfaction", bound=0.5),
            tallies(rated=80, satisfaction=0.3, satisfaction_sd=0.3),
            True,
        ),
    ],
)
def test_guard_demotes_only_when_the_bound_is_broken(rule, standings, out):
    candidate = by_model(decided(guards=(rule,), standings=standings))["cheap"]
    assert candidate.eligible is not out
    assert ("demoted by a guard" in candidate.reason) is out


def test_explored_says_whether_the_draw_left_the_best_arm():
    several = [decided(rate=0.9, objective=PRESETS["quality"], seed=seed) for seed in range(60)]
    assert all(found.explored == (found.model != "good") for found in several)
    assert {found.explored for found in several} == {True, False}


def test_newcomer_gets_its_quota_and_graduates():
    known = {arm.id: Standing(model=arm.id, record=Tally(graded=500)) for arm in ARMS[:2]}
    candidates = by_model(decided(rate=0.0, standings=known))
    alone = by_model(decided(rate=0.0, standings=known, arms=ARMS[:2]))
    assert candidates["unpriced"].probability >= 0.1
    assert sum(candidate.probability for candidate in candidates.values()) == pytest.approx(1.0)
    graduated = known | {"unpriced": Standing(model="unpriced", record=Tally(graded=100))}
    settled = by_model(decided(rate=0.0, standings=graduated))
    assert settled["unpriced"].probability < candidates["unpriced"].probability
    assert sum(candidate.probability for candidate in alone.values()) == pytest.approx(1.0)


def test_where_answers_are_audited_a_newcomer_is_asked_by_audits_and_has_no_quota():
    known = {
        arm.id: Standing(model=arm.id, record=Tally(graded=500, accuracy=0.7, accuracy_sd=0.45))
        for arm in ARMS[:2]
    }
    worth = Objective(answer_value_usd=1.0)
    for rate in (0.0, 0.05):
        usual = decided(rate=rate, standings=known, objective=worth, audit=AuditTerms(probability=1e-9))
        assert by_model(usual)["unpriced"].probability < 0.1
    audited = decided(standings=known, objective=worth, audit=AuditTerms(probability=1.0))
    assert "unpriced" in audited.audit.asks
    assert audited.model != "unpriced"


def test_fallbacks_go_by_utility_and_leave_out_the_excluded():
    found = decided(forced=None, limits=Limits(max_cost_usd=1.0), seed=3)
    order = found.fallbacks()
    assert found.model not in order
    assert "unpriced" not in order
    assert len(order) <= 1


def test_one_model_is_always_it():
    found = decided(arms=(CHEAP,))
    assert (found.model, found.propensity, found.explored) == ("cheap", 1.0, False)


class Wants:
    """A predictor that holds one arm best; the rest is the config's."""

    map = None

    def __init__(self, arm: int, others: float = 0.2) -> None:
        self.arm, self.others = arm, others

    def vectors(self, texts, tasks=None):
        return PriorPredictor().vectors(texts)

    def forecast(self, vectors, arms):
        accuracy = np.full((len(vectors), len(arms)), self.others)
        accuracy[:, self.arm] = 0.9
        return replace(PriorPredictor().forecast(vectors, arms), accuracy=accuracy)


def contested(others=0.2, **changes):
    contest = Contest(
        epoch="c1",
        policy=Policy(version="v0002", predictor=Wants(1, others)),
        share=changes.pop("share", 0.25),
    )
    champion = Policy(version="v0001", predictor=Wants(0, others))
    return decided(policy=champion, contest=replace(contest, anchor=changes.pop("anchor", None)), **changes)


def test_a_contest_gives_each_side_its_share_and_logs_the_probability_over_both():
    n = 1500
    versions, models = Counter(), Counter()
    for seed in range(n):
        found = contested(seed=seed)
        versions[found.policy_version] += 1
        models[found.model] += 1
        assert found.propensity == by_model(found)[found.model].probability
    assert abs(versions["v0002"] / n - 0.25) < 0.04
    chances = {model: candidate.probability for model, candidate in by_model(found).items()}
    assert sum(chances.values()) == pytest.approx(1.0)
    assert chances["cheap"] >= found.contest.champion_p >= 0.75 * 0.9 * found.contest.kept
    assert chances["good"] >= found.contest.challenger_p >= 0.25 * 0.5 * found.contest.kept
    assert 0.0 < chances["unpriced"] < 0.1
    for model, chance in chances.items():
        assert abs(models[model] / n - chance) < 4 * np.sqrt(chance * (1 - chance) / n)


def test_a_contest_logs_what_both_sides_wanted_and_expected():
    pairing = contested(share=0.1).contest
    assert (pairing.epoch, pairing.challenger, pairing.share) == ("c1", "v0002", 0.1)
    assert (pairing.champion_model, pairing.challenger_model) == ("cheap", "good")
    assert (pairing.champion_accuracy, pairing.challenger_accuracy) == (0.2, 0.9)
    assert pairing.challenger_usd > pairing.champion_usd


def test_the_anchor_is_what_the_champion_asks_where_it_may():
    assert contested(anchor="good").contest.champion_model == "good"
    assert contested(anchor="good", limits=Limits(local_only=True)).contest.champion_model == "cheap"


@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_least_probabilities_hold_while_a_newcomer_takes_its_quota(rate):
    graded = {arm.id: Standing(model=arm.id, record=Tally(graded=500)) for arm in ARMS[:2]}
    for seed in range(30):
        pairing = contested(standings=graded, rate=rate, seed=seed).contest
        champion, challenger = least_probabilities(np.array([pairing.share]), np.array([pairing.kept]))
        assert pairing.champion_p >= champion[0] - 1e-12
        assert pairing.challenger_p >= challenger[0] - 1e-12


def test_on_heads_an_audit_asks_both_sides_and_one_of_them_answers_by_the_share_alone():
    n, extra, sides = 1200, 0, Counter()
    for seed in range(n):
        found = contested(
            others=0.8,
            seed=seed,
            audit=AuditTerms(probability=0.5),
            objective=Objective(answer_value_usd=1.0),
        )
        if not found.audit.heads:
            assert found.audit.asks == ()
            continue
        sides[found.contest.side] += 1
        assert found.audit.asks[0] == found.model
        assert {"cheap", "good"} <= set(found.audit.asks)
        extra += len(found.audit.asks) > 2
        chances = {model: candidate.probability for model, candidate in by_model(found).items()}
        assert chances == {"cheap": 0.75, "good": 0.25, "unpriced": 0.0}
    heads = sides.total()
    assert abs(heads / n - 0.5) < 0.06
    assert abs(sides["challenger"] / heads - 0.25) < 0.07
    assert abs(extra / heads - 1 / 3) < 0.07


def test_where_answers_are_looked_at_an_audit_asks_the_models_of_a_chain_too():
    def record(model: str, accuracy: float, cost_usd: float) -> Standing:
        tally = Tally(calls=80, graded=80, accuracy=accuracy, accuracy_sd=0.3, charged=80, cost_usd=cost_usd)
        return Standing(model=model, record=tally)

    standings = {"cheap": record("cheap", 0.5, 0.00001), "good": record("good", 0.95, 0.0002)}
    asked = {
        chains: [
            decided(
                audit=AuditTerms(probability=1.0),
                standings=standings,
                arms=ARMS[:2],
                objective=Objective(answer_value_usd=1.0),
                chains=chains,
                seed=seed,
            ).audit.asks
            for seed in range(20)
        ]
        for chains in (True, False)
    }
    assert {frozenset(one) for one in asked[True]} == {frozenset({"cheap", "good"})}
    assert set(asked[False]) == {("good",)}


def test_an_audit_asks_no_model_that_the_query_must_not_see():
    for seed in range(40):
        found = contested(seed=seed, audit=AuditTerms(probability=1.0), limits=Limits(local_only=True))
        assert (found.audit.heads, found.audit.asks) == (True, ("cheap",))


def test_a_cold_audit_asks_every_model_that_may_still_be_the_best():
    found = decided(audit=AuditTerms(probability=1.0), standings={})
    assert (found.audit.heads, set(found.audit.asks)) == (True, {arm.id for arm in ARMS})
    assert found.contest is None
    assert found.propensity == 1.0
    hopeless = Tally(graded=50, accuracy=0.0, accuracy_sd=0.0)
    proven = Tally(graded=50, accuracy=1.0, accuracy_sd=0.0)
    standings = {
        "cheap": Standing(model="cheap", record=proven),
        "good": Standing(model="good", record=hopeless),
    }
    found = decided(audit=AuditTerms(probability=1.0), standings=standings)
    assert "good" not in found.audit.asks


def test_no_coin_is_tossed_where_a_query_cannot_be_audited():
    found = contested(audit=AuditTerms(probability=0.0, blocked="nothing grades its answers"))
    assert (found.audit.heads, found.audit.blocked) == (False, "nothing grades its answers")


def test_policies_of_a_contest_keep_to_the_user_limits():
    found = contested(limits=Limits(local_only=True))
    assert found.model == "cheap"
    assert (found.contest.champion_model, found.contest.challenger_model) == ("cheap", "cheap")


def test_pinned_model_has_no_part_in_a_contest():
    found = contested(forced="unpriced", audit=AuditTerms(probability=1.0))
    assert (found.contest, found.propensity, found.policy_version) == (None, None, "v0001")
    assert not found.audit.heads


def test_check_gives_the_cheap_model_the_first_try_and_says_who_follows():
    plain, checked = (
        decided(query=Query(text="hello there", check=check), rate=0.0)
        for check in (None, Check(grader="json"))
    )
    gain = {
        model: by_model(checked)[model].utility_usd.mean - by_model(plain)[model].utility_usd.mean
        for model in ("cheap", "good")
    }
    assert gain["cheap"] > gain["good"] >= 0.0
    assert plain.escalations == ()
    assert set(checked.escalations) <= {"cheap", "good", "unpriced"} - {checked.model}
    for seed in range(20):
        found = decided(query=Query(text="hello there", check=Check(grader="json")), rate=0.0, seed=seed)
        if found.model == "cheap":
            assert found.escalations[0] == "good"
    pinned = decided(query=Query(text="hello there", check=Check(grader="json")), forced="cheap")
    assert pinned.escalations == ()


def test_measured_check_counts_and_an_excluded_model_never_follows():
    coin = replace(POLICY, checks={"json": CheckReliability(passes=0.5, catches=0.5)})
    query = Query(text="hello there", check=Check(grader="json"))
    assert decided(query=query, policy=coin).escalations == ()
    for seed in range(20):
        found = decided(query=query, limits=Limits(local_only=True), seed=seed)
        assert (found.model, found.escalations) == ("cheap", ())
