"""Rewriting the ways in which people and models typeset numbers into plain ASCII.

It comes before reading numbers so that the reader knows one notation for each thing: `-` for minus, a space or
a comma between thousands, `a/b` for a fraction, `^` for a power, `√` for any expression that has no plain value.
"""

from __future__ import annotations

import re
import unicodedata

_SUPERSCRIPT_DIGITS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_TRANSLATED = {
    **{ord(sign): "-" for sign in "\u2212\u2012\ufe63\u2010\u2011"},
    **{
        ord(space): " "
        for space in "\u00a0\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u3000"
    },
    **{ord(mark): None for mark in "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"},
    **{ord(mark): "'" for mark in "\u2018\u2019\u02bc"},
    **{ord(mark): '"' for mark in "\u201c\u201d"},
    **{code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},
    **{ord(sign): "*" for sign in "×·⋅"},
    ord("\u066b"): ".",
    ord("\u066c"): ",",
    ord("\u066a"): "%",
    ord("\u2044"): "/",
    ord("π"): "√",
}
_VULGAR = re.compile("(?P<whole>\\d ?)?(?P<sign>[¼-¾⅐-⅞])")
_SUPERSCRIPT = re.compile(f"([⁺⁻]?)([{_SUPERSCRIPT_DIGITS}]{{1,9}})")
_FROM_SUPERSCRIPT = str.maketrans(_SUPERSCRIPT_DIGITS, "0123456789")
_NUMBER = r"-?\d[\d.,]{0,40}"
_REWRITTEN = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"<<[^<>\n]{0,200}>>", " "),  # GSM8K's calculator notes
        (r"<[Aa]nswer>", "answer: "),
        (r"</?[A-Za-z][a-z]{0,8}>", " "),
        (r"–(?=[$€£¥]?\.?\d)", "-"),
        (r"(?<![\d.,])10\*\*(?=-?\d)", "10^"),
        (r"\*\*|__|`|~~", ""),
        (r"(?m)^[ \t]{0,3}(?:>|[-*•+][ \t])[ \t]{0,3}", ""),
        (r"\\\\", "\n"),
        (r"\\([$%#&_])", r"\1"),
        (r"\{,\}|(?<=\d),\\!", ","),
        (r"\\!", ""),
        (r"\\[()\[\] ,;:]|~", " "),
        (r"\\(?:text\w{0,2}|math(?:rm|bf|sf|it)|mbox|operatorname)[ ]?\{([^{}]{0,200})\}", r" \1 "),
        (r"\\(?:times|cdot)(?![a-z])", "*"),
        (r"\^[ ]?(?:\{[ ]?\\circ[ ]?\}|\\circ(?![a-z]))|\\degree", "°"),
        (r"\^[ ]?[{(][ ]?([-+]?\d{1,6})[ ]?[})]", r"^\1"),
        (r"(?<=\d)[ ]?(?=\\[dt]?frac)", " "),
        (rf"\\[dt]?frac[ ]?\{{[ ]?({_NUMBER})[ ]?\}}[ ]?\{{[ ]?({_NUMBER})[ ]?\}}", r"\1/\2"),
        (r"\\[dt]?frac[ ]?(\d)[ ]?(\d)", r"\1/\2"),
        (
            r"(?:\\sqrt(?:\[[^\[\]]{0,20}\])?|√|\bsqrt)[ ]?(?:\{[^{}]{0,80}\}|\([^()]{0,80}\)|[\d.]{1,40})",
            "√",
        ),
        (r"\\(?:[dt]?frac|binom)[ ]?\{[^{}]{0,80}\}[ ]?\{[^{}]{0,80}\}", "√"),
        (r"\\(?:pi|infty|ln|log|sin|cos|tan)(?![a-z])", "√"),
        (r"\\(?!f?box)[A-Za-z]{1,20}", " "),
    )
)
_TYPESET = re.compile(r"[^\t\n -~]|[-+<>*_`~\\{}^]|sqrt")
"""Without any of these nothing is rewritten."""


def plain(text: str) -> str:
    """Return the text with every number in ASCII, without Markdown, list bullets and harmless LaTeX."""
    if _TYPESET.search(text) is None:
        return text
    text = _VULGAR.sub(_spelt_out, _SUPERSCRIPT.sub(_as_power, text))
    digits = {ord(c): str(unicodedata.decimal(c)) for c in set(text) if c.isdecimal() and not c.isascii()}
    text = text.translate(_TRANSLATED | digits)
    for pattern, replacement in _REWRITTEN:
        text = pattern.sub(replacement, text)
    return text


def _as_power(match: re.Match[str]) -> str:
    sign = "-" if match[1] == "⁻" else ""
    return f"^{sign}{match[2].translate(_FROM_SUPERSCRIPT)}"


def _spelt_out(match: re.Match[str]) -> str:
    fraction = unicodedata.normalize("NFKC", match["sign"]).replace("\u2044", "/")
    return f"{match['whole'].strip()} {fraction}" if match["whole"] else fraction
