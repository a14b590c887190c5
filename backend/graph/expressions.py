"""Expressions: formulas over named numbers, safe to take from a stranger's workflow.

The notation is Python's for numbers: ``+ - * / // % **``, comparisons that may chain
(``0 < x <= 1``), ``and or not``, ``a if c else b``, calls of a small table of functions, names and
the constants ``pi``, ``e``, ``tau``, ``true`` and ``false``. There is nothing else: no text, no
attributes, no assignment. An expression is read once (``expression_reader``) into straight code
(``expression_code``), so evaluating takes at most one step per token; ``arithmetic`` says how
large numbers end.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from backend.graph.arithmetic import CONSTANTS, Real
from backend.graph.expression_code import ExpressionError, Instruction, missing, run
from backend.graph.expression_reader import MAX_DEPTH, MAX_LENGTH, read

__all__ = ["MAX_DEPTH", "MAX_LENGTH", "Expression", "ExpressionError", "evaluate", "parse"]


@dataclass(frozen=True)
class Expression:
    """An expression that was read. ``names`` are those it takes from outside."""

    text: str
    code: tuple[Instruction, ...]
    names: frozenset[str]

    def evaluate(self, values: Mapping[str, Real]) -> Real:
        """The result for these values: a bool, a whole number up to 2^63, or a finite float.

        A value hides a constant of the same name.

        Raises:
            ExpressionError: a name has no value, or an operation no finite real result.
        """
        self.check(values)
        return run(self.code, self.text, values)

    def check(self, known: Collection[str]) -> None:
        """See that every name has a value, also where the expression might not get to.

        Raises:
            ExpressionError: the first that has none, and what it may have meant.
        """
        for op, name, at in self.code:
            if op == "load" and name not in known and name not in CONSTANTS:
                raise ExpressionError(missing(name, known), self.text, at)


def parse(text: str) -> Expression:
    """Read an expression.

    Raises:
        ExpressionError: it is empty, too long or too deep, or says what expressions cannot.
    """
    code = read(text)
    names = {i.arg for i in code if i.op == "load"} - set(CONSTANTS)
    return Expression(text, code, frozenset(names))


def evaluate(text: str, values: Mapping[str, Real]) -> Real:
    """Read and evaluate in one go; see ``parse`` and ``Expression.evaluate``."""
    return parse(text).evaluate(values)
