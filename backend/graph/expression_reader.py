"""Reading an expression: from text to tokens to straight code."""

from __future__ import annotations

import keyword
import re
import unicodedata
from typing import NamedTuple

from backend.graph.arithmetic import COMPARISONS, FUNCTIONS, NoResult, Real, settle
from backend.graph.expression_code import ExpressionError, Instruction, known_names, shortened

MAX_LENGTH = 2000
"""Characters of an expression."""

MAX_DEPTH = 64
"""How deep parentheses, powers, signs and conditions may stand in each other."""


class Token(NamedTuple):
    kind: str
    text: str
    at: int


def read(text: str) -> tuple[Instruction, ...]:
    """The code of an expression.

    Raises:
        ExpressionError: it is empty, too long or too deep, or says what expressions cannot.
    """
    if len(text) > MAX_LENGTH:
        what = f"it has {len(text)} characters; at most {MAX_LENGTH} are read"
        raise ExpressionError(what, text, MAX_LENGTH)
    return tuple(_Parser(text).whole())


_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r"|(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<symbol>\*\*|//|<=|>=|==|!=|[-+*/%<>(),])"
)

_WORDS = {"and", "or", "not", "if", "else", "True", "False"}

_HINTS = {
    ":=": "an expression sets no names",
    "&&": "write `and`",
    "||": "write `or`",
    "=": "write `==` to compare; an expression sets no names",
    "!": "write `not`",
    "&": "write `and`",
    "|": "write `or`",
    "^": "write `**` for a power",
    ".": "an expression reaches no attributes",
    "[": "an expression has no lists",
    "]": "an expression has no lists",
    "{": "an expression has no sets or mappings",
    "}": "an expression has no sets or mappings",
    '"': "an expression has numbers, no text",
    "'": "an expression has numbers, no text",
    "?": "write `a if condition else b`",
    ":": "write `a if condition else b`",
    ";": "there is one expression, no statements",
    "×": "write `*`",  # noqa: RUF001  # the character people paste
    "·": "write `*`",
    "÷": "write `/`",
    "−": "write `-`",  # noqa: RUF001
    "–": "write `-`",  # noqa: RUF001
    "²": "write `**2`",
    "³": "write `**3`",
    "≤": "write `<=`",
    "≥": "write `>=`",
    "≠": "write `!=`",
    "π": "write `pi`",
    "√": "write `sqrt(x)`",
}

# How tightly the operators bind, loosest first; a condition is 1.
_OR, _AND, _NOT, _COMPARE, _SUM, _PRODUCT, _SIGN, _POWER = range(2, 10)
_BINDING = {
    "if": 1,
    "or": _OR,
    "and": _AND,
    **dict.fromkeys(COMPARISONS, _COMPARE),
    **dict.fromkeys("+-", _SUM),
    **dict.fromkeys(("*", "/", "//", "%"), _PRODUCT),
    "**": _POWER,
}

_Code = list[Instruction]


class _Parser:
    """Precedence climbing: one method recursive by nesting only, and that is capped."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = self._scan()
        self.next = 0
        self.depth = 0

    def whole(self) -> _Code:
        if self.tokens[0].kind == "end":
            raise ExpressionError("it is empty; write a number or a formula", "", 0)
        code = self.expression(1)
        token = self.tokens[self.next]
        if token.kind == "end":
            return code
        raise self.stray(token)

    def error(self, what: str, token: Token) -> ExpressionError:
        return ExpressionError(what, self.text, token.at)

    def stray(self, token: Token) -> ExpressionError:
        """A sentence about something that cannot follow a whole value."""
        if token.text == ")":
            return self.error("this `)` closes no parenthesis", token)
        if token.text == ",":
            return self.error("a comma stands only between the arguments of a function", token)
        if keyword.iskeyword(token.text) and token.text not in _WORDS:
            return self.error(f"`{token.text}` has no meaning in an expression", token)
        return self.error(f"an operator is missing before `{shortened(token.text)}`", token)

    def take(self) -> Token:
        token = self.tokens[self.next]
        self.next += token.kind != "end"
        return token

    def expression(self, binding: int) -> _Code:
        """What stands here, as far as its operators bind at least as tightly as ``binding``."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(f"it is nested more than {MAX_DEPTH} deep", self.tokens[self.next])
        code = self.operand(binding)
        while True:
            token = self.tokens[self.next]
            binds = _BINDING.get(token.text, 0)
            if binds < max(binding, 1):
                break
            self.next += 1
            code = self.operation(code, token, binds)
        self.depth -= 1
        return code

    def operation(self, left: _Code, token: Token, binds: int) -> _Code:
        """``left`` with the operator ``token`` and what follows it."""
        if token.text == "if":
            return self.condition(left, token)
        if binds == _COMPARE:
            return self.comparison(left, token)
        right = self.expression(_SIGN if binds == _POWER else binds + 1)
        if token.text in ("and", "or"):
            left.append(Instruction(token.text, len(right), token.at))
            left.extend(right)
            return left
        left.extend(right)
        left.append(Instruction("binary", token.text, token.at))
        return left

    def condition(self, yes: _Code, token: Token) -> _Code:
        test = self.expression(_OR)
        other = self.take()
        if other.text != "else":
            raise self.error("`if` wants an `else`: write `a if condition else b`", token)
        no = self.expression(1)
        return [
            *test,
            Instruction("unless", len(yes) + 1, token.at),
            *yes,
            Instruction("jump", len(no), token.at),
            *no,
        ]

    def comparison(self, code: _Code, token: Token) -> _Code:
        going_on: list[tuple[int, Token]] = []
        while True:
            code.extend(self.expression(_COMPARE + 1))
            following = self.tokens[self.next]
            if following.text not in COMPARISONS:
                code.append(Instruction("compare", token.text, token.at))
                break
            going_on.append((len(code), token))
            code.append(Instruction("chain", None, token.at))
            self.next += 1
            token = following
        for place, chained in going_on:
            skip = len(code) - place - 1
            code[place] = Instruction("chain", (chained.text, skip), chained.at)
        return code

    def operand(self, binding: int) -> _Code:
        token = self.take()
        if token.kind == "number":
            return [Instruction("push", self.number(token), token.at)]
        if token.kind == "name" and token.text not in _WORDS:
            return self.name(token)
        if token.text in ("True", "False"):
            return [Instruction("push", token.text == "True", token.at)]
        if token.text == "not":
            if binding > _NOT:
                raise self.error("put `not` and what it turns into parentheses", token)
            return [*self.expression(_NOT), Instruction("not", None, token.at)]
        if token.text in ("-", "+"):
            return [*self.expression(_SIGN), Instruction("sign", token.text, token.at)]
        if token.text == "(":
            code = self.expression(1)
            closing = self.take()
            if closing.kind == "end":
                raise self.error("this `(` is not closed", token)
            if closing.text != ")":
                raise self.stray(closing)
            return code
        if token.kind == "end":
            raise self.error("it ends where a value should stand", token)
        raise self.error(f"a value should stand before `{token.text}`", token)

    def number(self, token: Token) -> Real:
        try:
            return settle(int(token.text) if token.text.isdigit() else float(token.text))
        except NoResult:
            raise self.error(f"the number {shortened(token.text)} is too large", token) from None

    def name(self, token: Token) -> _Code:
        if keyword.iskeyword(token.text):
            raise self.error(f"`{token.text}` has no meaning in an expression", token)
        if self.tokens[self.next].text != "(":
            return [Instruction("load", token.text, token.at)]
        function = FUNCTIONS.get(token.text)
        if function is None:
            name = shortened(token.text)
            raise self.error(f"there is no function `{name}`" + known_names(name, FUNCTIONS), token)
        self.next += 1
        code, count = self.arguments(token)
        if count < function.least or (function.most is not None and count > function.most):
            raise self.error(f"`{token.text}` is called as {function.usage}", token)
        return [*code, Instruction("call", (token.text, count), token.at)]

    def arguments(self, function: Token) -> tuple[_Code, int]:
        code: _Code = []
        count = 0
        if self.tokens[self.next].text == ")":
            self.next += 1
            return code, count
        while True:
            code.extend(self.expression(1))
            count += 1
            token = self.take()
            if token.text == ")":
                return code, count
            if token.kind == "end":
                raise self.error(f"the `(` of `{function.text}` is not closed", function)
            if token.text != ",":
                raise self.stray(token)

    def _scan(self) -> list[Token]:
        tokens: list[Token] = []
        at = 0
        while at < len(self.text):
            match = _TOKEN.match(self.text, at)
            if match is None:
                raise ExpressionError(_strange(self.text, at), self.text, at)
            if match.lastgroup != "space":
                tokens.append(Token(str(match.lastgroup), match.group(), at))
            at = match.end()
        tokens.append(Token("end", "", len(self.text)))
        return tokens


def _strange(text: str, at: int) -> str:
    """A sentence about a character that no expression has."""
    for length in (2, 1):
        hint = _HINTS.get(text[at : at + length])
        if hint:
            return f"`{text[at : at + length]}` has no meaning in an expression; {hint}"
    char = text[at]
    name = unicodedata.name(char, "a character without a name")
    hint = "; names are made of a-z, A-Z, 0-9 and _" if char.isalnum() else ""
    shown = f"`{char}` " if char.isprintable() else ""
    return f"{shown}(U+{ord(char):04X} {name}) has no meaning in an expression{hint}"
