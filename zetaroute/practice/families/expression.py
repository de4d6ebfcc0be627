"""Evaluate an infix expression with a bounded number of pending operators.

It lives beside the families because arithmetic and truth share it, and because here is the resource that
limits both: a working memory of so many slots. A full memory forces the newest pending operator to be applied
at once (precedence is lost) and makes an opening bracket or a prefix operator go unnoticed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Value = TypeVar("Value")
MAX_TOKENS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar(Generic[Value]):
    """The operators of a kind of expression, and what they do."""

    ranks: Mapping[str, int]
    """Binary operators; a higher rank binds tighter."""
    binary: Callable[[str, Value, Value], Value]
    prefix: str | None = None
    """A prefix operator that binds tightest."""
    negate: Callable[[Value], Value] | None = None

    def well_formed(self, tokens: Sequence[str]) -> bool:
        """Say whether operands and operators alternate, brackets close, and there is a binary operator."""
        depth, operand_next = 0, True
        for part in tokens:
            if part in ("(", self.prefix):
                if not operand_next:
                    return False
                depth += part == "("
            elif part == ")" or part in self.ranks:
                if operand_next:
                    return False
                depth -= part == ")"
                operand_next = part != ")"
            elif operand_next:
                operand_next = False
            else:
                return False
            if depth < 0:
                return False
        enough = any(part in self.ranks for part in tokens)
        return depth == 0 and not operand_next and enough and len(tokens) <= MAX_TOKENS

    def evaluate(
        self, tokens: Sequence[str], value_of: Callable[[str], Value], *, slots: int
    ) -> tuple[Value, list[tuple[str, Value, Value, Value]]]:
        """Evaluate a well-formed expression with `slots` (at least 1) pending operators and brackets.

        Returns the value and the binary steps in the order they were done: operator, left, right, result.
        Dijkstra's shunting yard, with a stack that ends.
        """
        yard = _Yard(grammar=self, slots=slots)
        for part in tokens:
            if part == "(":
                yard.open_bracket()
            elif part == ")":
                yard.close_bracket()
            elif part == self.prefix:
                yard.push_prefix()
            elif part in self.ranks:
                yard.push_binary(part)
            else:
                yard.values.append(value_of(part))
        while yard.pending:
            yard.apply()
        return yard.values[-1], yard.steps


@dataclass(slots=True, kw_only=True)
class _Yard(Generic[Value]):
    """The two stacks of one evaluation."""

    grammar: Grammar[Value]
    slots: int
    values: list[Value] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    noticed: list[bool] = field(default_factory=list)
    """For every open bracket, whether there was room to keep it."""
    steps: list[tuple[str, Value, Value, Value]] = field(default_factory=list)

    def open_bracket(self) -> None:
        # One slot stays free, or the operator inside the bracket would have no place.
        self.noticed.append(len(self.pending) + 1 < self.slots)
        if self.noticed[-1]:
            self.pending.append("(")

    def close_bracket(self) -> None:
        if not self.noticed.pop():
            return
        while self.pending[-1] != "(":
            self.apply()
        self.pending.pop()

    def push_prefix(self) -> None:
        if len(self.pending) + 1 < self.slots and self.grammar.prefix is not None:
            self.pending.append(self.grammar.prefix)

    def push_binary(self, operator: str) -> None:
        rank = self.grammar.ranks[operator]
        while self.pending and self.pending[-1] != "(":
            top = self.grammar.ranks.get(self.pending[-1], rank)
            if top < rank and len(self.pending) < self.slots:
                break
            self.apply()
        self.pending.append(operator)

    def apply(self) -> None:
        operator = self.pending.pop()
        right = self.values.pop()
        if operator == self.grammar.prefix and self.grammar.negate is not None:
            self.values.append(self.grammar.negate(right))
            return
        left = self.values.pop()
        result = self.grammar.binary(operator, left, right)
        self.steps.append((operator, left, right, result))
        self.values.append(result)
