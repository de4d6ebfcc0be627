"""The choice grader: the letter alone, with its text, and after a cue."""

from __future__ import annotations

import pytest

from zetaroute.errors import UsageError
from zetaroute.grading.choice import choice, reference_letter

SETTLED = [
    # the letter alone
    ("B", "B"),
    ("b", "B"),
    ("(B)", "B"),
    ("(b)", "B"),
    ("[B]", "B"),
    ("B.", "B"),
    ("B)", "B"),
    ("b)", "B"),
    ("'B'", "B"),
    ('"B"', "B"),
    ("**B**", "B"),
    ("__B__", "B"),
    ("*B*", "B"),
    ("`B`", "B"),
    ("$B$", "B"),
    ("\\(B\\)", "B"),
    ("\\text{B}", "B"),
    ("\\textbf{(B)}", "B"),
    ("$\\mathrm{B}$", "B"),
    ("<b>B</b>", "B"),
    ("<answer>B</answer>", "B"),
    ("  B\n\n", "B"),
    ("Ｂ", "B"),
    ("Ⓑ", "B"),
    ("> B", "B"),
    ("- B", "B"),
    ("A", "A"),
    ("a", "A"),
    ("(a)", "A"),
    ("A.", "A"),
    ("I", "I"),
    ("(I)", "I"),
    ("Option B", "B"),
    ("option (b)", "B"),
    ("Choice C.", "C"),
    ("✅ B", "B"),
    ("→ D", "D"),
    # the letter and its text
    ("B) Paris", "B"),
    ("(B) Paris", "B"),
    ("B. Paris", "B"),
    ("B: Paris", "B"),
    ("B - Paris", "B"),
    ("B – Paris", "B"),
    ("B, Paris", "B"),
    ("B Paris", "B"),
    ("B (Paris)", "B"),
    ("**B. Paris**", "B"),
    ("**B**: Paris is the capital.", "B"),
    ("b) paris", "B"),
    ("A) A dog", "A"),
    ("A. A dog", "A"),
    ("Paris (B)", "B"),
    ("Paris, B", "B"),
    ("Option D: None of the above", "D"),
    ("None of the above (D)", "D"),
    ("B because it is the capital.", "B"),
    ("A because it is the capital.", "A"),
    ("Definitely B!", "B"),
    ("Probably (c)", "C"),
    ("B\n\nExplanation: Paris has been the capital for long. A is a port.", "B"),
    ("B. Paris\n\nA) is a port, C) is an island.", "B"),
    ("B) Paris\n\nA) is wrong: a port.\nC) is wrong: an island.", "B"),
    ("C) Mitochondria. They make a lot of ATP.", "C"),
    # cues
    ("Answer: B", "B"),
    ("answer: b", "B"),
    ("ANSWER: B", "B"),
    ("Answer: (B)", "B"),
    ("Answer:B", "B"),
    ("Answer B", "B"),
    ("Answer - B", "B"),
    ("Answer: B Paris", "B"),
    ("Answer: A because it is cheap", "A"),
    ("**Answer:** B", "B"),
    ("**Answer: B**", "B"),
    ("**Answer**: **B) Paris**", "B"),
    ("### Answer\nB", "B"),
    ("## Final Answer\n\n**(B)** Paris", "B"),
    ("Answer:\n\nB", "B"),
    ("Ans: B", "B"),
    ("Ans. B", "B"),
    ("Final answer: B", "B"),
    ("Final Answer: The final answer is B. I hope it is correct.", "B"),
    ("The answer is B", "B"),
    ("The answer is b.", "B"),
    ("The answer is a.", "A"),
    ("The answer is a) a dog.", "A"),
    ("The answer is: (B)", "B"),
    ("The answer is (B) because A and C are ports.", "B"),
    ("The answer is option B.", "B"),
    ("The answer is the letter B", "B"),
    ("The answer is clearly B", "B"),
    ("The answer is therefore most likely (B).", "B"),
    ("The answer, therefore, is B.", "B"),
    ("The answer to this question is B.", "B"),
    ("The answer to question 12 is B.", "B"),
    ("The correct answer is B, not A.", "B"),
    ("The correct answer is B rather than A.", "B"),
    ("The correct answer is B. A is wrong because it is a port.", "B"),
    ("The correct answer is B, A is wrong.", "B"),
    ("The correct answer is Paris (B).", "B"),
    ("The correct answer is Paris, which is option B.", "B"),
    ("The correct answer is Paris (B), not London (A).", "B"),
    ("The best answer would be (C).", "C"),
    ("The right answer should be: C", "C"),
    ("The correct option is **C**.", "C"),
    ("The correct choice is C) 4", "C"),
    ("So the correct option is B.", "B"),
    ("The solution is D.", "D"),
    ("The answer is A.", "A"),
    ("The answer is A in this case.", "A"),
    ("The answer is A, since dogs bark.", "A"),
    ("The answer is 'A'.", "A"),
    ("The answer is I.", "I"),
    ("The answer is (I) because of the law.", "I"),
    ('{"answer": "B"}', "B"),
    ('{"reasoning": "A is out", "answer": "B"}', "B"),
    ("answer = B", "B"),
    ("Answer => B", "B"),
    ("Which is the answer? B", "B"),
    ("答案是B", "B"),
    ("正确答案：B。", "B"),
    ("Die richtige Antwort ist B.", "B"),
    ("La réponse est (B).", "B"),
    ("Respuesta: B", "B"),
]

SPELT = [
    # the reference's shape and reach
    ("B", "(B)"),
    ("B", "b"),
    ("(b)", "B."),
    ("The answer is P.", "P"),
    ("(K)", "k"),
]


@pytest.mark.parametrize(("answer", "letter"), SETTLED)
def test_settles_on_one_letter_and_no_other(answer: str, letter: str) -> None:
    assert [other for other in "ABCDEFGHIJ" if choice(answer, other)] == [letter]


@pytest.mark.parametrize(("answer", "reference"), SPELT)
def test_reads_references_in_their_own_spelling(answer: str, reference: str) -> None:
    assert choice(answer, reference) == 1.0


@pytest.mark.parametrize(
    ("reference", "letter"),
    [("B", "B"), ("b", "B"), ("(c)", "C"), ("[D]", "D"), ("E.", "E"), (" F) ", "F"), ("q", "Q")],
)
def test_reads_a_reference(reference: str, letter: str) -> None:
    assert reference_letter(reference) == letter


@pytest.mark.parametrize("reference", ["", " ", "AB", "A, B", "Paris", "1", "(A) or (B)", "?", "é"])
def test_refuses_a_reference_that_is_no_letter(reference: str) -> None:
    with pytest.raises(UsageError, match="must be one letter"):
        reference_letter(reference)
