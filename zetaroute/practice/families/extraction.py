"""Finding an e-mail address, an amount or a telephone number in a paragraph.

The limit is how many sentences are read with care; when the person asked for is not among them, the first
thing of the right shape in the whole text is taken for the answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from zetaroute.practice.family import Family, Question, Solution, numeric, textual
from zetaroute.practice.word_lists import NAMES, PLACES

_SENTENCES = (2, 4, 6, 9, 12)
_LAYOUTS = (
    "{question}\n\n{paragraph}",
    "Read this note.\n{paragraph}\nQuestion: {question}",
    "From the text below, answer: {question}\nText: {paragraph}",
    "{paragraph}\n\n{question}",
)
_ASKS = re.compile(r"\b(?:what|which|how much|find|look up|extract)\b", re.IGNORECASE)
_PROPER = re.compile(r"\b[A-Z][a-z]{1,30}\b")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """One kind of thing to be found."""

    name: str
    shape: re.Pattern[str]
    asked: re.Pattern[str]
    draw: Callable[[Random, str], str]
    """Draw the thing that belongs to a person of this name."""
    facts: tuple[str, ...]
    questions: tuple[str, ...]


_KINDS = (
    _Kind(
        name="e-mail address",
        shape=re.compile(r"[\w.]{1,40}@[\w-]{1,40}\.[a-z]{2,12}"),
        asked=re.compile(r"\be-?mail\b", re.IGNORECASE),
        draw=lambda rng, name: f"{name}.{rng.randrange(10, 99)}@{rng.choice(PLACES)}.example".lower(),
        facts=(
            "{name} from {place} can be reached at {thing}.",
            "Please write to {thing} if you need {name}.",
        ),
        questions=("What is the e-mail address of {name}?", "Find the email address for {name}."),
    ),
    _Kind(
        name="amount",
        shape=re.compile(r"\$\d{1,3}(?:,\d{3}){0,3}(?:\.\d\d)?"),
        asked=re.compile(r"\b(?:amount|how much)\b", re.IGNORECASE),
        draw=lambda rng, _: f"${rng.randrange(20, 9000):,}.{rng.randrange(100):02d}",
        facts=("{name} paid {thing} for the trip to {place}.", "The invoice of {name} came to {thing}."),
        questions=("What amount belongs to {name}?", "How much is noted down for {name}, in dollars?"),
    ),
    _Kind(
        name="telephone number",
        shape=re.compile(r"\b\d{3}-\d{4}\b(?!-)"),
        asked=re.compile(r"\b(?:tele)?phone\b", re.IGNORECASE),
        draw=lambda rng, _: f"{rng.randrange(200, 999)}-{rng.randrange(1000, 9999)}",
        facts=("{name} answers {thing} in the office in {place}.", "Call {thing} to talk to {name}."),
        questions=("What is the telephone number of {name}?", "Look up the phone number of {name}."),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    shape: re.Pattern[str]
    name: str
    sentences: tuple[str, ...]


def _write(rng: Random, difficulty: int) -> Question:
    wanted = rng.choice(_KINDS)
    names = rng.sample(NAMES, _SENTENCES[difficulty - 1])
    target = rng.choice(names)
    sentences, reference = [], ""
    for name in names:
        kind = wanted if name == target else rng.choice((wanted, *_KINDS))
        thing = kind.draw(rng, name)
        reference = thing if name == target else reference
        sentences.append(rng.choice(kind.facts).format(name=name, thing=thing, place=rng.choice(PLACES)))
    question = rng.choice(wanted.questions).format(name=target)
    text = rng.choice(_LAYOUTS).format(question=question, paragraph=" ".join(sentences))
    if wanted.name == "amount":
        return numeric(rng, text, reference.replace("$", "").replace(",", ""))
    return textual(rng, text, reference, wanted.name)


def _read(text: str) -> _Search | None:
    lines = [line for line in text.splitlines() if line.strip()]
    for kind in _KINDS:
        shape = kind.shape
        paragraph = max(lines, key=lambda line: len(shape.findall(line)), default="")
        question = " ".join(line for line in lines if line is not paragraph)
        names = [name for name in _PROPER.findall(question) if name in paragraph]
        if names and _ASKS.search(question) and kind.asked.search(question) and shape.search(paragraph):
            return _Search(shape=shape, name=names[-1], sentences=tuple(_SENTENCE_END.split(paragraph)))
    return None


def _work(search: _Search, skill: int) -> Solution:
    with_name = [sentence for sentence in search.sentences[:skill] if search.name in sentence]
    found = next(filter(None, map(search.shape.search, (*with_name, *search.sentences))), None)
    steps = (
        "I read the text sentence by sentence.",
        "I look for the one that is about the person in question.",
    )
    return Solution(result=found[0] if found else "not given", steps=steps)


EXTRACTION = Family(name="extraction", write=_write, read=_read, work=_work)
