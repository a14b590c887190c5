"""A schema as a grammar in llguidance's Lark dialect. Light.

Texts are written on one line: keys in the schema's order, and at most one space after a comma or
a colon, so that the room is spent on content.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from backend.models.language.decimals import decimal_range
from backend.models.language.schema import (
    ArrayNode,
    Either,
    Literals,
    Node,
    NumberNode,
    ObjectNode,
    TextNode,
)

# No \\u escapes: half of a pair would be valid JSON, but no text.
_CHARACTER = r'([^"\\\x00-\x1F\x7F]|\\["\\\/bfnrt])'


def grammar_of(node: Node) -> str:
    """The grammar of all texts that follow a schema."""
    writer = _Writer()
    writer.rules.append(f"start: {writer.node(node)}")
    return "\n".join([*writer.rules, r"COMMA: /, ?/", r"COLON: /: ?/"])


class _Writer:
    """Collects one rule per part of a schema."""

    def __init__(self) -> None:
        self.rules: list[str] = []

    def node(self, node: Node) -> str:
        """The name of the rule for a node."""
        writers: dict[type, Callable[[Any], str]] = {
            Literals: lambda n: self._rule(" | ".join(map(_literal, n.texts))),
            TextNode: self._text,
            NumberNode: self._number,
            ArrayNode: self._array,
            ObjectNode: self._object,
            Either: lambda n: self._rule(" | ".join([self.node(c) for c in n.choices])),
        }
        return writers[type(node)](node)

    def _rule(self, body: str) -> str:
        name = f"r{len(self.rules)}"
        self.rules.append(f"{name}: {body}")
        return name

    def _terminal(self, pattern: str) -> str:
        name = f"T{len(self.rules)}"
        self.rules.append(f"{name}: /{pattern}/")
        return name

    def _text(self, node: TextNode) -> str:
        return self._terminal(f'"{_CHARACTER}{_times(node.least, node.most)}"')

    def _number(self, node: NumberNode) -> str:
        return self._terminal(decimal_range(node.low, node.high, node.places))

    def _array(self, node: ArrayNode) -> str:
        if node.most == 0:
            return self._rule(_literal("[]"))
        item = self.node(node.item)
        most = None if node.most is None else node.most - 1
        more = "" if most == 0 else f" (COMMA {item}){_times(max(node.least - 1, 0), most)}"
        return self._rule(f'"[" {item}{more} "]"' if node.least else f'"[" ({item}{more})? "]"')

    def _object(self, node: ObjectNode) -> str:
        """A rule for what may follow each property: those after it that may be left out are."""
        pairs = [
            self._rule(f"{_literal(json.dumps(p.name, ensure_ascii=False))} COLON "
                       f"{self.node(p.value)}")
            for p in node.properties
        ]  # fmt: skip
        # From the end: `rest` is what may follow when something stands before, `fresh` when not.
        rest = fresh = '"}"'
        for pair, prop in zip(reversed(pairs), reversed(node.properties), strict=True):
            with_it = (f"COMMA {pair} {rest}", f"{pair} {rest}")
            without = () if prop.required else (rest, fresh)
            rest = self._rule(" | ".join([with_it[0], *without[:1]]))
            fresh = self._rule(" | ".join([with_it[1], *without[1:]]))
        return self._rule(f'"{{" {fresh}')


def _literal(text: str) -> str:
    """A text as a Lark string, which is written as in JSON but for the delete character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _times(least: int, most: int | None) -> str:
    return f"{{{least},{'' if most is None else most}}}"
