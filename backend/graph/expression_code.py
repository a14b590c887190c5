"""The straight code of an expression, and how it runs: one pass, jumps lead forward only."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from backend.graph.arithmetic import (
    COMPARISONS,
    CONSTANTS,
    FUNCTIONS,
    NoResult,
    Real,
    call,
    combine,
    settle,
)
from backend.graph.errors import UserError


class ExpressionError(UserError):
    """What is wrong with an expression, and where: ``column`` counts from 1 in its ``line``."""

    def __init__(self, what: str, text: str, at: int) -> None:
        before = text[:at]
        self.what = what
        self.line = before.count("\n") + 1
        self.column = at - (before.rfind("\n") + 1) + 1
        line = f"line {self.line}, " if "\n" in text else ""
        super().__init__(f"Expression, {line}column {self.column}: {what}.")


class Instruction(NamedTuple):
    """One step of the code: what to do, with what, and where in the text it stands.

    ``jump``, ``unless``, ``and``, ``or`` and ``chain`` hold how many steps they may skip.
    """

    op: str
    arg: Any
    at: int


Operation: TypeAlias = Callable[[list[Real], Any], int]


def run(code: Sequence[Instruction], text: str, values: Mapping[str, Real]) -> Real:
    """The result of the code of ``text`` for these values, which all its names have.

    Raises:
        ExpressionError: a value is no finite number, or an operation no finite real result.
    """
    stack: list[Real] = []
    step = 0
    while step < len(code):
        op, arg, at = code[step]
        step += 1
        try:
            if op == "load":
                stack.append(_value(arg, values))
            else:
                step += _OPERATIONS[op](stack, arg)
        except NoResult as error:
            raise ExpressionError(str(error), text, at) from None
    return stack[0]


def known_names(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: the one that was meant, or those there are."""
    names = sorted(known)
    close = difflib.get_close_matches(name[:40], names[:200], 1)
    if close:
        return f"; did you mean `{close[0]}`?"
    if not names:
        return "; nothing is linked here"
    return "; there are " + ", ".join(names[:12]) + (" and more" if len(names) > 12 else "")


def shortened(text: str) -> str:
    """Text as a sentence quotes it: at most 40 characters."""
    return text if len(text) <= 40 else text[:40] + "..."


def missing(name: str, known: Iterable[str]) -> str:
    """What to say of a name that has no value."""
    if name in FUNCTIONS:
        return f"`{name}` is a function; write {FUNCTIONS[name].usage}"
    return f"there is no value `{shortened(name)}`" + known_names(name, known)


def _value(name: str, values: Mapping[str, Real]) -> Real:
    value = values[name] if name in values else CONSTANTS[name]
    if not isinstance(value, int | float):
        raise NoResult(f"`{shortened(name)}` is no number but a {type(value).__name__}")
    try:
        return settle(value)
    except NoResult:
        raise NoResult(f"`{shortened(name)}` is no finite number") from None


def _push(stack: list[Real], arg: Real) -> int:
    stack.append(arg)
    return 0


def _binary(stack: list[Real], symbol: str) -> int:
    right = stack.pop()
    stack[-1] = combine(symbol, stack[-1], right)
    return 0


def _sign(stack: list[Real], symbol: str) -> int:
    stack[-1] = settle(-stack[-1] if symbol == "-" else +stack[-1])
    return 0


def _not(stack: list[Real], arg: None) -> int:
    stack[-1] = not stack[-1]
    return 0


def _compare(stack: list[Real], symbol: str) -> int:
    right = stack.pop()
    stack[-1] = COMPARISONS[symbol](stack[-1], right)
    return 0


def _chain(stack: list[Real], arg: tuple[str, int]) -> int:
    """One comparison of a chain that goes on: its right side is the next one's left side."""
    right = stack.pop()
    if COMPARISONS[arg[0]](stack[-1], right):
        stack[-1] = right
        return 0
    stack[-1] = False
    return arg[1]


def _call(stack: list[Real], arg: tuple[str, int]) -> int:
    arguments = stack[len(stack) - arg[1] :]
    del stack[len(stack) - arg[1] :]
    stack.append(call(arg[0], arguments))
    return 0


def _jump(stack: list[Real], distance: int) -> int:
    return distance


def _unless(stack: list[Real], distance: int) -> int:
    return 0 if stack.pop() else distance


def _and(stack: list[Real], distance: int) -> int:
    if not stack[-1]:
        return distance
    stack.pop()
    return 0


def _or(stack: list[Real], distance: int) -> int:
    if stack[-1]:
        return distance
    stack.pop()
    return 0


_OPERATIONS: Mapping[str, Operation] = {
    "push": _push,
    "binary": _binary,
    "sign": _sign,
    "not": _not,
    "compare": _compare,
    "chain": _chain,
    "call": _call,
    "jump": _jump,
    "unless": _unless,
    "and": _and,
    "or": _or,
}
