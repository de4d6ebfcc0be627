"""Labelling a message by a list of rules of which the first that fits counts.

The limit is how many rules are kept in mind; when none of those fits, the label for everything else is given.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

from zetaroute.practice.family import Family, Question, Solution, bare
from zetaroute.practice.words import WORDS, listed, phrase

_RULES = (2, 3, 5, 6, 8)
_LABELS = listed("""billing delivery praise complaint travel sales press legal events staff garden kitchen archive
    repairs""")
_LETTERS = "ABCDEFGHIJ"
_CONDITION = (
    r'(?:it (?:mentions "(\w+)"(?: or "(\w+)")?|has more than (\d{1,4}) words|starts with "(\w+)"'
    r"|(contains a number)|(ends with a question mark)))"
)
_NAMED = re.compile(rf"{_CONDITION}(?:,| ->|:)?(?: the label is| then| say)? ([a-z]+)\b")
_ELSE = re.compile(
    r"\b(?:otherwise|else|in all other cases)(?:,| ->|:)?(?: the label is| then| say)? ([a-z]+)\b"
)
_LETTERED = re.compile(rf"\b([A-J])\) (?:{_CONDITION}|(none of these fits))")
_MESSAGE = re.compile(r'\b(?:message|sentence|note|text)\b[^":\n]{0,40}:\s*"([^"\n]{1,1500})"', re.IGNORECASE)
_MOST_RULES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """A condition in the groups of `_CONDITION`; none of them filled in means: everything else."""

    label: str
    words: tuple[str, ...] = ()
    more_than: int | None = None
    starts: str = ""
    number: bool = False
    question: bool = False

    def fits(self, message: str) -> bool:
        words = re.findall(r"\w+", message.lower())
        if self.words:
            return any(word in words for word in self.words)
        if self.more_than is not None:
            return len(words) > self.more_than
        if self.starts:
            return words[:1] == [self.starts]
        if self.number:
            return any(word.isdigit() for word in words)
        return message.rstrip().endswith("?") if self.question else True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Labelling:
    rules: tuple[_Rule, ...]
    """The last one is for everything else."""
    message: str


def _condition(rng: Random, fits: bool, message: str) -> str:
    """Write a condition that the message meets, or one that it does not."""
    words = message.rstrip("?").split()
    inside, outside = rng.choice(words), rng.choice([word for word in WORDS if word not in words])
    another = rng.choice([word for word in WORDS if word not in words])
    length = rng.randrange(2, len(words)) if fits else len(words) + rng.randrange(0, 6)
    has_number, is_question = any(map(str.isdigit, words)), message.endswith("?")
    choices = [
        f'mentions "{inside if fits else outside}"',
        f'mentions "{outside}" or "{inside if fits else another}"',
        f"has more than {length} words",
        f'starts with "{words[0] if fits else outside}"',
        *(["contains a number"] if has_number == fits else []),
        *(["ends with a question mark"] if is_question == fits else []),
    ]
    return f"it {rng.choice(choices)}"


def _write(rng: Random, difficulty: int) -> Question:
    count = _RULES[difficulty - 1]
    message = phrase(rng, rng.randrange(6, 11))
    message += f" {rng.randrange(2, 500)}" if rng.random() < 0.3 else ""
    message += "?" if rng.random() < 0.3 else ""
    # The rule that fits comes late more often than early: labels by the first rules alone would be too easy.
    hit = max(rng.randrange(count + 1), rng.randrange(count + 1))
    conditions = [_condition(rng, place == hit, message) for place in range(count)]
    labels = rng.sample(_LABELS, count + 1)
    look = rng.randrange(4)
    if look == 0:
        options = [*conditions, "none of these fits"]
        lettered = " ".join(f"{letter}) {told}" for letter, told in zip(_LETTERS, options, strict=False))
        text = f'Which is the first statement that holds for the message? {lettered} The message: "{message}"'
        return Question(text=text, reference=_LETTERS[hit], grader="choice")
    if look == 1:
        rules = "\n".join(f"- {told} -> {label}" for told, label in zip(conditions, labels, strict=False))
        text = f'Apply the first rule that fits.\n{rules}\n- else -> {labels[-1]}\nThe text to label: "{message}"'
    elif look == 2:
        rules = " ".join(f"If {told}, say {label}." for told, label in zip(conditions, labels, strict=False))
        text = (
            f'Classify this sentence: "{message}" {rules} Otherwise say {labels[-1]}. The first match counts.'
        )
    else:
        rules = "; if ".join(
            f"{told}, the label is {label}" for told, label in zip(conditions, labels, strict=False)
        )
        text = f'Sort mail by these rules, first match wins: if {rules}; otherwise {labels[-1]}. Message: "{message}"'
    return Question(text=bare(rng, text, "label"), reference=labels[hit], grader="normalised")


def _rule(label: str, groups: tuple[str, ...]) -> _Rule:
    first, second, more_than, starts, number, question = groups[:6]
    return _Rule(
        label=label,
        words=tuple(word.lower() for word in (first, second) if word),
        more_than=int(more_than) if more_than else None,
        starts=starts.lower(),
        number=bool(number),
        question=bool(question),
    )


def _read(text: str) -> _Labelling | None:
    message = _MESSAGE.search(text)
    if message is None:
        return None
    lettered = _LETTERED.findall(text)
    rules = [_rule(groups[0], groups[1:]) for groups in lettered]
    if not lettered:
        rest = _ELSE.search(text.replace("Otherwise", "otherwise"))
        rules = [_rule(groups[6], groups) for groups in _NAMED.findall(text)]
        rules += [_Rule(label=rest[1])] if rest else []
    if len(rules) < 2:
        return None
    return _Labelling(rules=tuple(rules[:_MOST_RULES]), message=message[1])


def _work(task: _Labelling, skill: int) -> Solution:
    *rules, rest = task.rules
    found = next((rule for rule in rules[:skill] if rule.fits(task.message)), rest)
    steps = (f"I go through {len(rules[:skill])} rules in their order.", "I stop at the first that fits.")
    return Solution(result=found.label, steps=steps)


LABELLING = Family(name="labelling", write=_write, read=_read, work=_work)
