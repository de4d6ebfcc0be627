"""The three models: who is good at what, how long they take, what they cost, and what they say of themselves."""

from __future__ import annotations

import functools
import time
from statistics import fmean

import pytest

from zetaroute.config import default_config_text, parse_settings
from zetaroute.practice.families import FAMILIES
from zetaroute.practice.generator import generate
from zetaroute.practice.practice_models import MODELS, WINDOW_CHARS, count_tokens

from .marking import is_right

ARMS = {arm.model: arm for arm in parse_settings(default_config_text(), file=None).arms}
EVERY_MODEL = pytest.mark.parametrize("name", ["small", "medium", "large"])
OUT_OF_REACH = ["Write a poem about the sea", "What is the capital of France?", "", " ", "x" * 50_000]


@functools.cache
def answered():
    """Return (practice query, model name, answer, right) for 2,000 generated queries and every model."""
    rows = []
    for one in generate(rows=2000, seed=7):
        for name, model in MODELS.items():
            answer = model.answer(one.query.text)
            right = is_right(answer.text, reference=one.query.reference, grader=one.query.grader)
            rows.append((one, name, answer, right))
    return rows


@functools.cache
def accuracy(model, task=None):
    return fmean(
        right for one, name, _, right in answered() if name == model and task in {None, one.query.task}
    )


def response_s(answer):
    return answer.think_s + answer.piece_s * (len(answer.pieces) - 1)


@pytest.mark.parametrize(
    ("name", "low", "high"), [("small", 0.5, 0.6), ("medium", 0.7, 0.78), ("large", 0.74, 0.8)]
)
def test_accuracy_over_the_default_mix(name, low, high):
    assert low <= accuracy(name) <= high


def test_no_model_is_best_at_everything():
    best = {task: max(MODELS, key=lambda name: accuracy(name, task)) for task in FAMILIES}
    for name in MODELS:
        assert 2 <= sum(winner == name for winner in best.values()) <= len(FAMILIES) - 4
    routed = fmean(right for one, name, _, right in answered() if name == best[one.query.task])
    assert routed >= 0.93


def test_the_small_model_is_right_on_most_easy_questions():
    easy = [right for one, name, _, right in answered() if name == "small" and one.difficulty == 1]
    assert fmean(easy) > 0.9


@pytest.mark.parametrize(
    ("name", "low_s", "high_s"), [("small", 0.003, 0.008), ("medium", 0.01, 0.02), ("large", 0.03, 0.06)]
)
def test_mean_response_time(name, low_s, high_s):
    mean_s = fmean(response_s(answer) for _, model, answer, _ in answered() if model == name)
    assert low_s <= mean_s <= high_s
    assert abs((ARMS[name].prior_response_s or 0.0) - mean_s) < 0.5 * mean_s


def test_a_dearer_model_costs_several_times_more_and_the_large_one_is_wordy():
    cost, words = {}, {}
    for name, arm in ARMS.items():
        own = [answer for _, other, answer, _ in answered() if other == name]
        cost[name] = fmean(
            arm.prices.cost_usd(input_tokens=a.input_tokens, output_tokens=a.output_tokens) for a in own
        )
        words[name] = fmean(answer.output_tokens for answer in own)
    assert cost["small"] * 5 < cost["medium"] < cost["large"] / 5
    assert words["large"] > 3 * words["medium"] > 3 * words["small"]


@EVERY_MODEL
def test_longer_and_harder_questions_take_longer(name):
    model = MODELS[name]
    assert model.answer("What is 2 + 3 * 4 - (5 + 6) * 7?").think_s > model.answer("What is 2 + 3?").think_s


@EVERY_MODEL
def test_pieces_join_to_the_text(name):
    for one in generate(rows=200, seed=3):
        answer = MODELS[name].answer(one.query.text)
        assert "".join(answer.pieces) == answer.text
        assert answer.input_tokens == count_tokens(one.query.text)
        assert answer.output_tokens == count_tokens(answer.text) > 0
        assert answer.piece_s > 0


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("What is 2 + 2?", 6), ("Well... (yes)", 5), ("naïve 日本", 2)]
)
def test_tokens_are_runs_of_letters_and_digits_or_of_punctuation(text, tokens):
    assert count_tokens(text) == tokens


def test_manners():
    text = "What is 7 * 6?"
    small, medium, large = (MODELS[name].answer(text).text for name in ("small", "medium", "large"))
    assert (small, medium) == ("42", "The answer is 42.")
    assert large.endswith("\nThe answer is 42.")
    assert len(large) > 2 * len(medium)
    assert {model.answer(f"{text} Answer with the number only.").text for model in MODELS.values()} == {"42"}


@EVERY_MODEL
@pytest.mark.parametrize("text", OUT_OF_REACH)
def test_out_of_reach_says_what_this_is_and_how_to_connect_a_model(name, text):
    said = MODELS[name].answer(text).text
    for hint in (f"practice/{name}", "not a language model", "zetaroute init", "config.toml", "README"):
        assert hint in said
    assert said.count(". ") <= 2


HOSTILE = [
    "a", "(", "1+", " ", "\n", '"', "9", "what is ", "1, ", "1.", "a.", "x@", "$1,", "A", "5% of ", "falls by 5% ",
    "Mia is taller than ", "2024-01-01 ", "He gives 3. ", "how many letters ", "how many days ", "1 000 ",
    "é", "\ud800", "\x00", "日",
]  # fmt: skip
OPENINGS = [
    "",
    "what is ",
    "sort ascending: ",
    "x has 5. ",
    "how many days ",
]


@pytest.mark.parametrize("opening", OPENINGS)
def test_a_megabyte_is_answered_at_once(opening):
    for part in HOSTILE:
        text = (opening + part * (1_000_000 // len(part)))[:1_000_000]
        times_s = []
        for _ in range(3):
            begun_s = time.process_time()
            answer = MODELS["large"].answer(text)
            times_s.append(time.process_time() - begun_s)
        assert answer.text
        assert answer.input_tokens <= WINDOW_CHARS
        assert min(times_s) < 1.0, part


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_no_reader_backtracks_without_end(name):
    """Every reader, not only the first that claims a text, gets every hostile text."""
    for opening in OPENINGS:
        for part in HOSTILE:
            begun_s = time.process_time()
            FAMILIES[name].solve((opening + part * WINDOW_CHARS)[:WINDOW_CHARS], 5)
            assert time.process_time() - begun_s < 1.0, (opening, part)


@pytest.mark.parametrize(
    ("question", "right"),
    [("Sort 3, 1, 2", "1, 2, 3"), ("What is 12% of 250?", "30"), ("What is 2 + 3?", "5")],
)
def test_the_questions_of_the_help_and_the_readme_are_answered(question, right):
    assert right in MODELS["large"].answer(question).text
