"""Terms are counted by hashes as they would be by their spelling."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, strategies as st

from zetaroute.features.text_terms import terms, tokens
from zetaroute.features.vocabulary import Lexicon

TEXTS = (
    "The quick brown fox jumps over the lazy dog; the quick fox again.",
    "^ ^abcd abcd$ $ ^abcdefgh abcdefgh $100 ^2 _ x_y",
    "Grüße aus Köln, 你好世界 和 世界 0123456 ١٢٣",
    "",
    "a",
    "strawberry straw strawberries",
)


def counted(vocabulary: dict[str, int], text: str) -> dict[int, int]:
    rows, times = Lexicon(vocabulary).count(tokens(text))
    return dict(zip(rows.tolist(), times.tolist(), strict=True))


def spelt(vocabulary: dict[str, int], text: str) -> dict[int, int]:
    return {vocabulary[term]: times for term, times in Counter(terms(text)).items() if term in vocabulary}


def test_every_kind_of_term_is_found() -> None:
    vocabulary = {
        term: row for row, term in enumerate(dict.fromkeys(t for text in TEXTS for t in terms(text)))
    }
    assert {"the quick", "^stra", "ies$", "^", "$", "世 界"} <= vocabulary.keys()
    for text in TEXTS:
        assert counted(vocabulary, text) == spelt(vocabulary, text)


def test_part_of_a_word_is_not_the_word_that_is_spelt_the_same() -> None:
    vocabulary = {"straw": 0, "stra": 1, "^stra": 2, "ies": 3, "ies$": 4, "straw ies": 5}
    assert counted(vocabulary, "strawberries") == {2: 1, 4: 1}
    assert counted(vocabulary, "straw ies stra") == {0: 1, 1: 1, 3: 1, 5: 1}
    assert counted(vocabulary, "ies straw") == {0: 1, 3: 1}


def test_two_letters_are_not_the_character_that_is_kept_alike_in_memory() -> None:
    for letters, character in (("of", "景"), ("be", "敢"), ("cy", "祣")):
        assert letters.encode("utf-16-le") != character.encode("utf-16-le") == letters.encode()
        vocabulary = {letters: 0, character: 1, f"{letters} the": 2, f"the {character}": 3}
        assert counted(vocabulary, f"the {character} the") == {1: 1, 3: 1}
        assert counted(vocabulary, f"the {letters} the") == {0: 1, 2: 1}


def test_an_empty_vocabulary_knows_nothing() -> None:
    assert counted({}, "hello there") == {}


@given(st.lists(st.text(max_size=60), min_size=1, max_size=5), st.text(max_size=80))
def test_any_text_is_counted_as_it_is_spelt(known: list[str], text: str) -> None:
    vocabulary = {term: row for row, term in enumerate(dict.fromkeys(t for one in known for t in terms(one)))}
    for one in (*known, text):
        assert counted(vocabulary, one) == spelt(vocabulary, one)
