"""Where an answer names its option: boxes, last lines, cues, labels and lone letters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from zetaroute.answers.choice.letters import BRACKETED_OR_NAMED, Options, after_fillers, options_at

_BOX = re.compile(r"\\(?:boxed|fbox)\s?\{([^{}]{0,200})\}")
_LINK = r"""
    ["')\]]{0,2}\s{0,2}
    (?: : | =+>? | [-–—]?> | → | ⇒ | \? | [-–—] | 是 | 为 | 為 | は
      | (?:is|are|was|be|as|being|remains|ist|lautet|est|es|è|é|'s)\b[ ]?:? | \n )
    ["']?\s{0,3}
"""
# Words between "answer" and "is": no letter of its own, and nothing that takes the sentence back.
_BETWEEN = r"""
    (?:,?[ ](?:(?!(?:not|if|unless|wrong|incorrect|never|could|might|may|can|cannot)\b)[a-z']{2,}|\d+|a(?=[ ]))){0,8}?
    ,?[ ]?
"""
_ANSWER = re.compile(
    rf"""
    # A quick look at the first character alone halves the time.
    (?=[acfoprstv答回正选選о]) (?:
    (?: (?<![a-z]) (?:answers?|ans\.?|antwort|réponse|respuesta|risposta|resposta|ответ) (?![a-z]) {_BETWEEN}
      | (?<![a-z]) (?:choice|option|selection|pick|verdict|conclusion|solution) (?![a-z])
      | (?<![a-z]) the[ ]one[ ](?:that|which) (?![a-z]) {_BETWEEN}
      | 答案 | 答え | 回答 | 正解 | 选项 | 選項 )
    {_LINK} | (?:^|(?<=[.!?][ ])) (?:final|correct)[ ]?:[ ]? | (?:选项|選項|選択肢)[ ]?(?=[A-J][ ]?(?:是?正|が正))
    | 选择?(?!项)[ ]?:? | (?<!\w)A:[ ](?=[(\[]?[A-J][)\].]{{0,2}}[ ]*$) )
    """,
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)
_PREFERENCE = re.compile(
    r"""
    (?<![a-z]) (?: choos(?:e|ing) | chose | pick(?:ed|ing)? | select(?:ed|ing)? | go(?:ing)?[ ](?:with|for)
      | opt(?:ing)?[ ]for | settl(?:e|ing)[ ](?:on|for) | vote[ ]for | say | think | believe | guess | conclude
      | answer | (?:it|that|this)(?:'s|[ ]is|[ ]must[ ]be|[ ]would[ ]be|[ ]should[ ]be)
      | (?:must|has[ ]to|should)[ ]be | leav(?:es|ing)(?:[ ](?:us|me)(?:[ ]with)?)?
      | therefore | thus | hence | so ) (?![a-z'])
    ,?(?:[ ]that)?[ :]\s{0,2}
    """,
    re.IGNORECASE | re.VERBOSE,
)
_PRAISE = re.compile(
    r"[ ](?:is|are|was|would be|must be|should be|has to be|seems|looks)[ ]"
    r"(?:(?:the|most|clearly|only|single|also|indeed|definitely|therefore|thus|probably|likely)[ ]){0,3}"
    r"(?:correct|right|best|answer|accurate|appropriate)\b",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[ ](?:is|are|was|were|has|have|does|can|cannot|isn't|=)(?!\w)", re.IGNORECASE)
_BLAME = re.compile(
    r"[ ](?:is|are|was|seems)(?:n't|[ ](?:not|wrong|incorrect|false|out|eliminated|ruled))", re.IGNORECASE
)
_HEDGE = re.compile(
    r"\b(?:if|unless|might|may|could|people|students|some|many|others|someone|initially|at first|first thought"
    r"|mistak\w+|tempt\w+|assum\w+|suppose|would have)\b",
    re.IGNORECASE,
)
_TAKEN_BACK = re.compile(
    r"(?:\bnot|n't|\bnever|\bneither|\bnor|\bexcept|\bexclud\w+|\beliminat\w+|\brul\w+ out|\bthan|\binstead of)"
    r"(?:[ ](?:the|option|choice|answer|letter|be|to|just|only|simply|choose|pick|select|say)){0,3}"
    r"[ ]?[\"'(\[]{0,2}\Z",
    re.IGNORECASE,
)
_CONTRAST = re.compile(r"\b(?:not|rather|instead|unlike|while|whereas)\b", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?](?=\s)|\n")
_LABEL = re.compile(
    r"^[^\w\n(\[{\"'<]{0,12}(?:(?:option|choice|answer|letter)[ ])?(?=[\"'(\[{<]{0,3}[ ]?[A-Za-z](?!\w))",
    re.IGNORECASE | re.MULTILINE,
)
# After a label's letter; not "I, for one".
_LABEL_END = re.compile(r"(?<=[)\]}>])|[ ]?(?:(?<![Ii]),|[.:;!?|→✓✅–—-])|[ ]\(|[ ]*$", re.MULTILINE)
_LINE_END = re.compile(r"[ \t.!✓✅]*$", re.MULTILINE)
_LONE = re.compile(r"(?<![\w'.-])(?:[\"'(\[{<]{1,3}[A-Za-z]|[A-HJ-Z])(?!\w)")
_BEFORE_LONE = re.compile(
    r"(?:^|\n|[^\w\s'-]|\b(?:option|choice|answer|letter|is|be|to|with|for|and|or|both|either|only|just"
    r"|definitely|clearly|certainly|probably|likely|surely|therefore|hence|thus|so|simply|obviously|maybe"
    r"|perhaps|say|under|undoubtedly))[ \t]*\Z",
    re.IGNORECASE,
)
_CALLED_OPTION = re.compile(r"\b(?:option|choice|answer)[ ]\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """Letters that a cue names: one, or several when the text joins them."""

    letters: frozenset[str]
    start: int
    hedged: bool
    """Said under a condition, of other people or of a first thought."""


def boxed(text: str, alphabet: str) -> frozenset[str]:
    r"""Return the letters in the last `\boxed{}` that holds any."""
    for box in reversed(_BOX.findall(text)):
        options = options_at(box, after_fillers(box, 0), alphabet=alphabet, strict=False)
        if letters := options.letters if options else _marked_letters(box, alphabet):
            return letters
    return frozenset()


def alone_on_last_line(text: str, alphabet: str) -> frozenset[str]:
    """Return the letters that make up the last line, unless other lines are such letters too."""
    alone: list[tuple[Options, int]] = []
    for options in _labels(text, alphabet):
        if line_end := _LINE_END.match(text, options.end):
            alone.append((options, line_end.end()))
    if not alone or alone[-1][1] < len(text) or len({options.letters for options, _ in alone}) > 1:
        return frozenset()
    return alone[-1][0].letters


def named_as_answer(text: str, alphabet: str) -> Iterator[Cue]:
    """Yield what stands after each "the answer is", or is marked as an option later in that sentence."""
    for cue in _ANSWER.finditer(text):
        options = options_at(text, after_fillers(text, cue.end()), alphabet=alphabet, strict=False)
        letters = options.letters if options else _marked_letters(_sentence_after(text, cue.end()), alphabet)
        if letters:
            yield Cue(letters=letters, start=cue.end(), hedged=_is_hedged(text, cue.start()))


def preferred(text: str, alphabet: str) -> list[Cue]:
    """Return what the writer chooses, concludes or calls correct, in the order of the text."""
    findings = [*_concluded(text, alphabet), *_praised(text, alphabet)]
    return sorted(findings, key=lambda finding: finding.start)


def label_at_start(text: str, alphabet: str) -> frozenset[str]:
    """Return the letter that labels the first line, or the only one that labels lines at all.

    An enumeration of the options, `A) ... B) ...`, names none.
    """
    labels = [o for o in _labels(text, alphabet) if _LABEL_END.match(text, o.end) or _opens_with(text, o)]
    if not labels:
        return frozenset()
    others = [options.letters for options in labels if options.letters != labels[0].letters]
    starts_text = "\n" not in text[: labels[0].start]
    if not others or (starts_text and sorted(others[0]) < sorted(labels[0].letters)):
        return labels[0].letters
    return frozenset()


def only_letters(text: str, alphabet: str) -> frozenset[str]:
    """Return all letters that stand alone where an option can stand, without those that are rejected."""
    letters: frozenset[str] = frozenset()
    certain, read = False, 0
    for spot in _LONE.finditer(text):
        if spot.start() < read:
            continue
        before = text[max(0, spot.start() - 30) : spot.start()]
        options = options_at(text, spot.start(), alphabet=alphabet, strict=False)
        bracketed = not spot[0][0].isalpha()
        if options is None or not (bracketed or _BEFORE_LONE.search(before)):
            continue
        read = options.end
        if not _TAKEN_BACK.search(before) and not _BLAME.match(text, options.end):
            letters |= options.letters
            strictly = options_at(text, spot.start(), alphabet=alphabet, strict=True)
            certain = certain or strictly is not None or _CALLED_OPTION.search(before) is not None
    return letters if certain else frozenset()


def _labels(text: str, alphabet: str) -> Iterator[Options]:
    for line in _LABEL.finditer(text):
        if options := options_at(text, line.end(), alphabet=alphabet, strict=False):
            yield options


def _opens_with(text: str, options: Options) -> bool:
    """Tell "B Paris" at the very start of an answer from a word like "B cells"."""
    following = text[options.end : options.end + 2]
    return (
        options.start <= 3 and following[:1] == " " and (following[1:].isupper() or following[1:].isdigit())
    )


def _concluded(text: str, alphabet: str) -> Iterator[Cue]:
    for cue in _PREFERENCE.finditer(text):
        options = options_at(text, after_fillers(text, cue.end()), alphabet=alphabet, strict=True)
        if options is None or _CLAUSE.match(text, options.end):
            continue
        if not _TAKEN_BACK.search(text[max(0, cue.start() - 40) : cue.start()]):
            hedged = _is_hedged(text, cue.start())
            yield Cue(letters=options.letters, start=options.start, hedged=hedged)


def _praised(text: str, alphabet: str) -> Iterator[Cue]:
    for praise in _PRAISE.finditer(text):
        options = _options_before(text, praise.start(), alphabet)
        if options and not _TAKEN_BACK.search(text[max(0, options.start - 40) : options.start]):
            hedged = _is_hedged(text, options.start)
            yield Cue(letters=options.letters, start=options.start, hedged=hedged)


def _options_before(text: str, end: int, alphabet: str) -> Options | None:
    """Return the options that end here, the longest row of joined ones (`A, B and C`)."""
    for start in range(max(0, end - 40), end):
        if start == 0 or not (text[start - 1].isalnum() or text[start - 1] in "'-"):
            options = options_at(text, start, alphabet=alphabet, strict=False)
            if options and options.end == end:
                return options
    return None


def _marked_letters(sentence: str, alphabet: str) -> frozenset[str]:
    """Return the letters in brackets or after "option", up to a contrast ("not", "rather") if any come before."""
    spots = [(m.start(), m.end()) for m in BRACKETED_OR_NAMED.finditer(sentence)]
    contrast = _CONTRAST.search(sentence)
    found: frozenset[str] = frozenset()
    for start, end in spots:
        if contrast and found and start > contrast.start():
            break
        options = options_at(sentence, end, alphabet=alphabet, strict=True)
        if options and not _TAKEN_BACK.search(sentence[:start]):
            found |= options.letters
    return found


def _sentence_after(text: str, start: int) -> str:
    window = text[start : start + 200]
    end = _SENTENCE_END.search(window)
    return window[: end.start()] if end else window


def _is_hedged(text: str, cue_start: int) -> bool:
    before = text[max(0, cue_start - 200) : cue_start]
    ends = list(_SENTENCE_END.finditer(before))
    return _HEDGE.search(before, ends[-1].end() if ends else 0) is not None
