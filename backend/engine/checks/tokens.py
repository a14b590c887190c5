"""How many tokens a text has for the text encoder that is linked to a step."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from backend.catalog.errors import CatalogError
from backend.catalog.folder import ModelFolder
from backend.diffusion.errors import DiffusionError
from backend.engine.checks.desk import Desk, Held
from backend.engine.checks.tokenizer import LightTokenizer
from backend.engine.checks.wire import Counted, CountTokens, Row
from backend.graph.prompts import Prompt, PromptError, Words, check_characters, read_prompt
from backend.models.encode import Coder, coder, pieces_of
from backend.models.family import Family, families, recognise
from backend.models.tokens import TokenRow
from backend.values import TextEncoder, Weights

SHOWN = 40
"""Characters of what is cut off that are told."""


class Counter:
    """Counts tokens, and keeps the tokenizers that it has read."""

    def __init__(self) -> None:
        self._tokenizers: dict[Path, LightTokenizer] = {}

    def count(self, desk: Desk, order: CountTokens) -> Counted:
        """The tokens of a text by each tokenizer, or why they are not known."""
        held = desk.held(order.document)
        identity = encoder_of(held, order.step) if held is not None else ""
        if held is None or not identity:
            return Counted(sentence="No text encoder is known to read this text.")
        found = find(held.shelf.folders, identity)
        if found is None:
            return Counted(sentence="The text encoder is of no family whose tokens can be counted.")
        folder, encoder = found
        try:
            asked = coder(encoder, {}, lambda part: self._load(folder, part), "cpu")
            check_characters(order.text)
            prompt = Prompt((Words(order.text),)) if order.plain else read_prompt(order.text)
            return Counted(rows_of(asked, prompt))
        except (CatalogError, DiffusionError, PromptError) as error:
            return Counted(sentence=str(error))

    def _load(self, folder: ModelFolder, part: Weights) -> LightTokenizer:
        place = folder.component(part.part).path
        if place not in self._tokenizers:
            self._tokenizers[place] = LightTokenizer(place)
        return self._tokenizers[place]


def encoder_of(held: Held, step: str) -> str:
    """The identity of the text encoder that is linked to a step, empty where it is not known."""
    facts = held.checker.facts_into(step).values()
    return next((str(f.identity) for f in facts if f.type == "TextEncoder" and f.identity), "")


def find(folders: Iterable[ModelFolder], identity: str) -> tuple[ModelFolder, TextEncoder] | None:
    """The model that a text encoder belongs to, and a reference to that encoder."""
    for folder in folders:
        try:
            family: Family = recognise(folder, families())
            parts = family.card.roles["text"]
            if folder.identity(parts) == identity:
                name = folder.component(parts[0]).name
                return folder, TextEncoder(family.card.name, name, identity, folder.source)
        except (CatalogError, LookupError):
            continue
    return None


def rows_of(asked: Coder, prompt: Prompt) -> tuple[Row, ...]:
    """A row for each tokenizer; of a prompt that changes during the run the longest time counts."""
    longest: dict[str, Row] = {}
    for _, chunks in prompt.phases():
        texts = [piece.text for piece in pieces_of(asked, chunks)]
        read: dict[str, list[tuple[str, TokenRow]]] = {}
        for text in texts:
            for row in asked.rows(text):
                read.setdefault(row.name, []).append((text, row))
        for name, rows in read.items():
            made = _row(name, rows)
            if name not in longest or made.tokens > longest[name].tokens:
                longest[name] = made
    return tuple(longest.values())


def _row(name: str, rows: list[tuple[str, TokenRow]]) -> Row:
    cut = ""
    for text, row in rows:
        lost = [token.start for token in row.cut if token.start is not None]
        if lost and not cut:
            cut = text[min(lost) :][:SHOWN]
    tokens = sum(len(row.tokens) for _, row in rows)
    gone = sum(len(row.cut) for _, row in rows)
    return Row(name, tokens, tokens - gone, rows[0][1].length, len(rows), cut)
