"""Reading option letters out of running text: what is a letter, and what only looks like one."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_OPENING = r"""["'(\[{<]{0,3}[ ]?"""
_CLOSING = r"""[ ]?["')\]}>]{1,3}|"""
_NO_WORD_PART = r"""(?![A-Za-zÀ-ɏ\d_+\#^]|'\w|-\w|\(\w\)|[ ]?=|\.[ ]?[A-Z]\.)"""
# One option letter with its brackets; not a part of a word, of initials or of a name like C++, and not of a formula.
_OPTION = re.compile(rf"(?P<open>{_OPENING})(?P<letter>[A-Za-z])(?P<close>{_CLOSING}){_NO_WORD_PART}")

_FILLERS = re.compile(
    r"(?:(?:option|choice|letter|answer|statement|alternative|number|either|both|the|one|correct|right|best"
    r"|indeed|clearly|definitely|certainly|probably|(?:most[ ])?likely|therefore|thus|hence|simply|just|most"
    r"|obviously|actually|in[ ]fact|still|then|now|also|only|first|second|third|fourth|fifth|last|final"
    r"|label+ed|marked|between|la|lettre|letra|antwort|réponse|respuesta|opción"
    r"|not[ ](?:option[ ])?[\"'(]?[A-J][\"')]?,?[ ]but(?:[ ]rather)?)\b[,:]?\s{0,3}){0,6}",
    re.IGNORECASE,
)

BRACKETED_OR_NAMED = re.compile(
    r"""(?=[(\[]["']?[A-Za-z]["']?[)\]])|\b(?:option|choice|letter|answer)[ ]""", re.IGNORECASE
)
"""The spot before a letter that its surroundings mark as an option."""

_SEPARATOR = re.compile(
    r"[ ]?(?:[.,]?[ ](?:and|or|nor|and/or)[ ]|[,/&+][ ]?(?:(?:and|or)[ ])?)(?:(?:option|choice|answer)[ ])?",
    re.IGNORECASE,
)
# No noun phrase goes on like this after the article "a": what stands before is a letter.
_AFTER_LETTER = re.compile(
    r"[ \t]+(?:according|and|are|as|at|based|because|best|but|by|can|cannot|confidence|does|due|explanation|fits|for"
    r"|from|given|has|here|holds|if|in|instead|is|it|just|justification|makes|matches|must|not|of|on|only|or|over"
    r"|rather|reason|reasoning|satisfies|seems|since|so|than|that|the|then|this|to|was|we|when|whereas|which|while"
    r"|with|works|would)(?![\w'])",
    re.IGNORECASE,
)
_AFTER_LETTER_I = re.compile(r"[ \t]+(?:and|as|because|is|or|since)(?![\w'])", re.IGNORECASE)
_NEXT_WORD = re.compile(r"[ \t]+[\w']")
_VERB = re.compile(r"[ ](?:is|was|isn't|are|has|would|does|can|cannot)\b", re.IGNORECASE)
_LATEX_TEXT = re.compile(
    r"\\(?:text(?:bf|rm|it|sf|tt)?|math(?:rm|bf|bb|sf|it|cal)|operatorname|mbox)\s{0,3}\{([^{}]*)\}"
)
_TAG = re.compile(r"<(b|i|u|p|em|strong|span|div|code|mark)\b[^<>]{0,80}>([^<>]{0,200})</\1>", re.IGNORECASE)
_ANSWER_TAG = re.compile(r"<(?:final[_ ]?)?(?:answer|choice|option)>", re.IGNORECASE)
_MARKUP = re.compile(
    r"[*`_$~]|\\[()\[\]]|\\(?:left|right|quad|displaystyle|,|;|!)|</\w{1,20}>|<br ?/?>|^[ \t]{0,3}[#>]+",
    re.MULTILINE,
)
_QUOTES = str.maketrans("‘’“”«»", '\'\'""""')
_MOST_JOINED = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The letters that stand in one spot, in capitals: one, or several when the text joins them."""

    letters: frozenset[str]
    start: int
    end: int


def without_markup(text: str) -> str:
    """Return the text in NFKC without Markdown, LaTeX text commands and HTML emphasis."""
    text = unicodedata.normalize("NFKC", text).translate(_QUOTES)
    for _ in range(2):
        text = _LATEX_TEXT.sub(r"\1", text)
    text = _TAG.sub(r"\2", _ANSWER_TAG.sub("Answer: ", text))
    return _MARKUP.sub("", text)


def after_fillers(text: str, position: int) -> int:
    """Return the position after the words that may stand between a cue and its letter ("option", "clearly")."""
    fillers = _FILLERS.match(text, position)
    return fillers.end() if fillers else position


def options_at(text: str, position: int, *, alphabet: str, strict: bool) -> Options | None:
    """Return the option, or the joined options (`A or B`), at exactly this position.

    `strict` asks of every letter, not just of A and I, that the word after it cannot belong to it
    (`B cells`): for spots that no clear cue announces.
    """
    first = _letter_at(text, position, alphabet=alphabet, strict=strict)
    if first is None:
        return None
    letters, end = set(first.letters), first.end
    for _ in range(_MOST_JOINED):
        separator = _SEPARATOR.match(text, end)
        following = separator and _letter_at(text, separator.end(), alphabet=alphabet, strict=True)
        if not separator or not following or ("," in separator[0] and _VERB.match(text, following.end)):
            break  # also at "B, C is wrong because ...", a new clause
        letters |= following.letters
        end = following.end
    return Options(letters=frozenset(letters), start=first.start, end=end)


def _letter_at(text: str, position: int, *, alphabet: str, strict: bool) -> Options | None:
    match = _OPTION.match(text, position)
    if match is None or (letter := match["letter"].upper()) not in alphabet:
        return None
    if not match["close"].strip() and not _stands_alone(text, match, letter, strict=strict):
        return None
    return Options(letters=frozenset(letter), start=match.start("letter"), end=match.end())


def _stands_alone(text: str, match: re.Match[str], letter: str, *, strict: bool) -> bool:
    """Tell a letter from the article A, the pronoun I and a letter that belongs to the next word."""
    if not _NEXT_WORD.match(text, match.end()):
        return True
    if letter == "I":
        return _AFTER_LETTER_I.match(text, match.end()) is not None
    return not (strict or letter == "A") or _AFTER_LETTER.match(text, match.end()) is not None
