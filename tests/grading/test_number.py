"""The number grader: which number is final, and when two are equal."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from zetaroute.errors import UsageError
from zetaroute.grading.number import number, reference_number

FINAL = [
    # boxes
    ("\\boxed{42}", "42"),
    ("So 3 + 4 = \\boxed{7}, and 9 is not needed.", "7"),
    ("\\boxed{1} no, \\boxed{2}", "2"),
    ("\\boxed{-\\frac{3}{4}}", "-0.75"),
    ("\\boxed{\\text{42 km}}", "42"),
    ("\\boxed{42 \\text{ km/h}}", "42"),
    ("\\boxed{\\$1,200.50}", "1200.5"),
    ("\\boxed{25\\%}", "0.25"),
    ("\\boxed{x = 42}", "42"),
    ("\\boxed{6 \\times 7 = 42}", "42"),
    ("\\boxed{1.2 \\times 10^{-3}}", "0.0012"),
    ("\\boxed{10^{6}}", "1000000"),
    ("\\boxed{90^\\circ}", "90"),
    ("$\\boxed{1{,}234}$", "1234"),
    ("\\boxed{ }  42", "42"),
    ("\\fbox{42}", "42"),
    ("The answer is 41. \\boxed{42}", "42"),
    ("\\boxed{42}\n#### 41", "42"),
    ("\\boxed{\\text{twenty-one}}", "21"),
    # hashes
    ("3 + 4 = 7\n#### 7", "7"),
    ("#### 7\nNote: of 10.", "7"),
    ("#### $1,200", "1200"),
    ("#### **42**", "42"),
    ("#### 42 apples", "42"),
    ("#### 6th place", "6"),
    ("#### Step 1\nIt is 5.\n#### Step 2\nIt is 42.", "42"),
    ("#### 1. Add\n3 + 4 = 7\n#### 2. Double it\n14", "14"),
    ("The answer is 41.\n#### 42", "42"),
    ("<<6*7=42>>42 is it\n#### 42", "42"),
    ("It comes to $<<3*5=15>>15", "15"),
    # cues
    ("The answer is 42.", "42"),
    ("The answer is 42, not 43", "42"),
    ("The answer is not 43 but 42", "42"),
    ("The answer is 42. We used 6 and 7.", "42"),
    ("Answer: 42\n\nExplanation: 6 times 7, as in 3.", "42"),
    ("**Answer:** 42 (because 6 * 7 = 42)", "42"),
    ("Answer:\n\n**42** apples in 3 boxes", "42"),
    ("### Final Answer\n42\n\nLet me know if you have 1 more question.", "42"),
    ("The final answer is $42$ for all 3 boxes.", "42"),
    ("The answer to question 3 is 42.", "42"),
    ("The answer would be about 42 kg per 2 people.", "42"),
    ("The answer is x = 42.", "42"),
    ("The answer is 6 * 7 = 42.", "42"),
    ("The answer is $6 \\times 7 = 42$, in 2 steps.", "42"),
    ("The answer is: minus three of 5", "-3"),
    ("The answer is 5. No: the answer is 42, from 7.", "42"),
    ("Answer: After 3 days, she has 42 apples in 2 boxes.", "42"),
    ("Answer: She has 42 apples after 3 days.", "42"),
    ("Answer: 42\nStep 3: the answer is found by adding 6 and 7.", "42"),
    ("The answer is approximately 3.14159 (to 5 places).", "3.14"),
    ("答案是42。用了6和7。", "42"),
    ("Antwort: 42 (aus 6 und 7)", "42"),
    # the last number
    ("6 * 7 = 42", "42"),
    ("6*7=42", "42"),
    ("10-5=5", "5"),
    ("First 6, then 7, so 42", "42"),
    ("It's 42, not 43.", "42"),
    ("42 [1]", "42"),
    ("1. Take 6.\n2. Take 7.\nThat makes 42", "42"),
    ("The total is 42.\n1. We add.\n2. We check.", "42"),
    ("Step 1: six\nStep 2: 42\nStep 3: done", "42"),
    ("There are 42 of them, split between the two", "42"),
    ("42 is the only one.", "42"),
    ("She came 3rd with 42 points on the 5th.", "42"),
    ("H2O boils at 100 °C under CO2", "100"),
    ("GPT-4 says 42, like COVID-19", "42"),
    ("On 2024-05-01 it was 42", "42"),
    ("It was 42 on 12/05/2024", "42"),
    ("It was 42 in version 1.2.3", "42"),
    ("It was 42 at 12:30", "42"),
    ("It was 42 at 192.168.1.10", "42"),
    ("42 with an error of x^2", "42"),
    ("<think>It is 41.</think>42", "42"),
    ("<think>The answer is 41</think>It is 42.", "42"),
    ("1.", "1"),
    ("1) 42", "42"),
]

EQUAL = [
    ("3.14159", "3.14"),
    ("3.144", "3.14"),
    ("3.145", "3.14"),
    ("3.135", "3.14"),
    ("1234567.4", "1234567"),
    ("1000000.9", "1000000"),
    ("42.00001", "42"),
    ("0.0012004", "1.2e-3"),
    ("1,249,999", "1.2 million"),
    ("0.2549", "25.5%"),
    ("0", "0"),
    ("-0", "0"),
    ("0.0", "0"),
    ("4.96", "5.0 km"),
    ("595", "Total: 175 + 420 = <<175+420=595>>595.\n#### 595"),
    ("0.5", "We get $\\boxed{\\frac{1}{2}}$."),
]

WRONG = [
    ("41.6", "42"),
    ("42.01", "42"),
    ("41", "42"),
    ("-42", "42"),
    ("42", "-42"),
    ("3.146", "3.14"),
    ("3.1", "3.14"),
    ("3", "3.14"),
    ("0.33", "1/3"),
    ("0.001", "0"),
    ("420", "42"),
    ("4.2", "42"),
    ("142", "42"),
    ("1,234", "1.234"),
    ("1.234", "1234"),
    ("25", "0.25"),
    ("25 km", "25%"),
    ("$25", "25%"),
    ("0.25%", "0.25"),
    ("0.25", "25"),
    ("2500%", "25%"),
    ("The answer is 43, not 42", "42"),
    ("It's 43, not 42", "42"),
    ("42\n#### 43", "42"),
    ("42 \\boxed{43}", "42"),
    ("\\boxed{41} \\boxed{43} 42", "42"),
]


@pytest.mark.parametrize(("answer", "reference"), FINAL)
def test_finds_the_final_number(answer: str, reference: str) -> None:
    assert number(answer, reference) == 1.0


@pytest.mark.parametrize(("answer", "reference"), EQUAL)
def test_is_as_exact_as_the_reference(answer: str, reference: str) -> None:
    assert number(answer, reference) == 1.0


@pytest.mark.parametrize(("answer", "reference"), WRONG)
def test_is_wrong(answer: str, reference: str) -> None:
    assert number(answer, reference) == 0.0


@pytest.mark.parametrize(
    "reference", ["", "none", "B", "1.2.3", "2024-05-01", "\\boxed{3\\sqrt{2}}", "x^2", "5-10"]
)
def test_refuses_a_reference_without_a_number(reference: str) -> None:
    with pytest.raises(UsageError, match="no number in the reference"):
        reference_number(reference)


@given(st.text())
def test_reads_any_text(text: str) -> None:
    assert number(text, "42") in (0.0, 1.0)
