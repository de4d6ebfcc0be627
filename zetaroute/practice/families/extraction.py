"""Finding an e-mail address, an amount, a date or a telephone number in a paragraph.

The limit is how many sentences are read with care; when the person asked for is not among them, the first
thing of the right shape in the whole text is taken for the answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

from zetaroute.practice.family import Family, Question, Solution, numeric, textual
from zetaroute.practice.words import PLACES, SURNAMES, people

_SENTENCES = (2, 4, 6, 9, 12)
_SHAPES = {
    "e-mail address": re.compile(r"[\w.]{1,40}@[\w-]{1,40}\.[a-z]{2,12}"),
    "amount": re.compile(r"\$\d{1,3}(?:,\d{3}){0,3}(?:\.\d\d)?"),
    "date": re.compile(r"\d{4}-\d\d-\d\d"),
    "telephone number": re.compile(r"\b\d{3}-\d{4}\b(?!-)"),
}
_ASKED = {
    "e-mail address": re.compile(r"\be-?mail\b", re.IGNORECASE),
    "amount": re.compile(r"\b(?:amount|how much)\b", re.IGNORECASE),
    "date": re.compile(r"\b(?:date|when)\b", re.IGNORECASE),
    "telephone number": re.compile(r"\b(?:tele)?phone\b", re.IGNORECASE),
}
_FACTS = {
    "e-mail address": (
        "{name} from {place} can be reached at {value}.",
        "Please write to {value} if you need {name}.",
    ),
    "amount": ("{name} paid {value} for the trip to {place}.", "The invoice of {name} came to {value}."),
    "date": ("{name} is expected in {place} on {value}.", "The contract of {name} ends on {value}."),
    "telephone number": (
        "{name} answers {value} in the office in {place}.",
        "Call {value} to talk to {name}.",
    ),
}
_QUESTIONS = {
    "e-mail address": ("What is the e-mail address of {name}?", "Find the email address for {name}."),
    "amount": ("What amount belongs to {name}?", "How much is noted down for {name}, in dollars?"),
    "date": ("Which date is given for {name}?", "When is the date noted for {name}?"),
    "telephone number": ("What is the telephone number of {name}?", "Look up the phone number of {name}."),
}
_LAYOUTS = (
    "{question}\n\n{paragraph}",
    "Read this note.\n{paragraph}\nQuestion: {question}",
    "From the text below, answer: {question}\nText: {paragraph}",
    "{paragraph}\n\n{question}",
)
_ASKS = re.compile(r"\b(?:what|which|when is|how much|find|look up|extract)\b", re.IGNORECASE)
_PROPER = re.compile(r"\b[A-Z][a-z]{1,30}\b")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    shape: re.Pattern[str]
    name: str
    sentences: tuple[str, ...]


def _value(rng: Random, kind: str, name: str) -> str:
    if kind == "e-mail address":
        return f"{name.lower()}.{rng.choice(SURNAMES).lower()}@{rng.choice(PLACES).lower()}.example"
    if kind == "amount":
        return f"${rng.randrange(20, 9000):,}.{rng.randrange(100):02d}"
    if kind == "date":
        return f"20{rng.randrange(10, 40)}-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}"
    return f"{rng.randrange(200, 999)}-{rng.randrange(1000, 9999)}"


def _write(rng: Random, difficulty: int) -> Question:
    kinds = tuple(_SHAPES)
    wanted = rng.choice(kinds)
    names = people(rng, _SENTENCES[difficulty - 1])
    target = rng.randrange(len(names))
    sentences, reference = [], ""
    for place, name in enumerate(names):
        kind = wanted if place == target else rng.choice((wanted, *kinds))
        value = _value(rng, kind, name)
        reference = value if place == target else reference
        sentences.append(rng.choice(_FACTS[kind]).format(name=name, value=value, place=rng.choice(PLACES)))
    question = rng.choice(_QUESTIONS[wanted]).format(name=names[target])
    text = rng.choice(_LAYOUTS).format(question=question, paragraph=" ".join(sentences))
    if wanted == "amount":
        return numeric(rng, text, reference.replace("$", "").replace(",", ""))
    return textual(rng, text, reference, wanted)


def _read(text: str) -> _Search | None:
    lines = [line for line in text.splitlines() if line.strip()]
    for kind, asked in _ASKED.items():
        shape = _SHAPES[kind]
        paragraph = max(lines, key=lambda line: len(shape.findall(line)), default="")
        question = " ".join(line for line in lines if line is not paragraph)
        names = [name for name in _PROPER.findall(question) if name in paragraph]
        if names and _ASKS.search(question) and asked.search(question) and shape.search(paragraph):
            return _Search(shape=shape, name=names[-1], sentences=tuple(_SENTENCE_END.split(paragraph)))
    return None


def _work(search: _Search, skill: int) -> Solution:
    in_reach = search.sentences[:skill]
    with_name = (search.shape.search(sentence) for sentence in in_reach if search.name in sentence)
    anywhere = (search.shape.search(sentence) for sentence in search.sentences)
    found = next(filter(None, with_name), None) or next(filter(None, anywhere), None)
    steps = (
        "I read the text sentence by sentence.",
        "I look for the one that is about the person in question.",
    )
    return Solution(result=found[0] if found else "not given", steps=steps)


EXTRACTION = Family(name="extraction", write=_write, read=_read, work=_work)
