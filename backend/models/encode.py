"""From a prompt to a conditioning: weights, chunks and changes, the same way for every family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from backend.diffusion.errors import DiffusionError
from backend.diffusion.phases import MASK, in_turn, join
from backend.graph.prompts import Chunk, Prompt, check_characters, read_prompt
from backend.models.family import Family, Load, family_of
from backend.models.lora.text import text_patches
from backend.models.tokens import TokenRow
from backend.values import Conditioning, Float32, Params, TextEncoder

MAX_CHUNKS = 32
"""Texts that one prompt is encoded as at most, at one time of the run."""

LOOK_BACK = 20
"""Tokens before the end of a full chunk among which a comma is looked for to end it there."""


class Encoded(NamedTuple):
    """A conditioning, and sentences about what was left out of it."""

    conditioning: Conditioning
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Coder:
    """A text encoder, ready to be asked."""

    encoder: TextEncoder
    family: Family
    options: Params
    load: Load
    device: str

    def encode(self, text: str) -> Conditioning:
        """The family's own conditioning of one plain text."""
        return self.family.encode_text(self.encoder, [text], self.options, self.load, self.device)

    def rows(self, text: str) -> tuple[TokenRow, ...]:
        """Its tokens."""
        return self.family.token_spans(self.encoder, text, self.options, self.load)


def coder(encoder: TextEncoder, options: Params, load: Load, device: str) -> Coder:
    """A text encoder, ready to be asked.

    Raises:
        CatalogError: it is of no known family.
    """
    return Coder(encoder, family_of(encoder), options, load, device)


def encode_prompt(asked: Coder, prompt: Prompt) -> Encoded:
    """Encode a prompt: each of its chunks apart, joined on the token axis, at each of its phases.

    A prompt without syntax that the encoder can hold has the same bits as the plain text. Where
    the family's encoder reads short texts only and its denoiser any length (CLIP), longer chunks
    are split at commas or words; elsewhere what is too long is cut off, and told.

    A token of weight ``w`` becomes ``e + w (c - e)``, where ``c`` is what the encoder says of it in
    the text and ``e`` what it says at the same place of the empty text: 0 is as if nothing stood
    there, and more than 1 goes on in the same direction, as classifier-free guidance does with
    predictions. A sequence with a mask is as long as its text, and the empty one has no such
    place; there ``e`` is the mean of the text's own tokens, so only differences of weight count.
    Pooled vectors have no tokens and no weights; they are those of the first chunk.

    Raises:
        DiffusionError: there are too many chunks, or weights and a tokenizer that tells no places.
        PromptError: there are too many phases.
        CatalogError: the model's files cannot be used.
    """
    notes: dict[str, None] = {}
    phases: list[tuple[float, Conditioning]] = []
    with text_patches(asked.encoder, asked.family.card, asked.load):
        for begin, chunks in prompt.phases():
            pieces = pieces_of(asked, chunks)
            notes.update(dict.fromkeys(n for p in pieces for n in told(asked.rows(p.text), p.text)))
            phases.append((begin, join(*[_encoded(asked, piece) for piece in pieces])))
    return Encoded(in_turn(phases), tuple(notes))


def encode_plain(asked: Coder, text: str) -> Encoded:
    """Encode a text as it stands, with its brackets, as the model's own pipeline would.

    Raises:
        CatalogError: the model's files cannot be used.
        PromptError: it has half of a character.
    """
    check_characters(text)
    with text_patches(asked.encoder, asked.family.card, asked.load):
        return Encoded(asked.encode(text), told(asked.rows(text), text))


def check_prompt(text: str, syntax: str) -> None:
    """Refuse a prompt that no encoder takes, as far as its text tells. Takes no tokenizer.

    Raises:
        DiffusionError: there are too many chunks.
        PromptError: its syntax is wrong, or it has half of a character.
    """
    check_characters(text)
    if syntax == "weights":
        for _, chunks in read_prompt(text).phases():
            _check_count(chunks)


def pieces_of(asked: Coder, chunks: Sequence[Chunk]) -> list[Chunk]:
    """What chunks are encoded as.

    Raises:
        DiffusionError: there are more than ``MAX_CHUNKS``.
    """
    pieces: list[Chunk] = []
    for chunk in chunks:
        pieces += split(asked, chunk)
        _check_count(pieces)
    return pieces


def _check_count(chunks: Sequence[Chunk]) -> None:
    if len(chunks) > MAX_CHUNKS:
        raise DiffusionError(
            f"This prompt makes more than {MAX_CHUNKS} chunks of text. Shorten it, or take BREAKs "
            "out."
        )


def split(asked: Coder, chunk: Chunk) -> tuple[Chunk, ...]:
    """A chunk in pieces that the encoder can hold, or as it is where the family does not join.

    A piece ends behind the last comma of its last ``LOOK_BACK`` tokens, or before the word that
    does not fit.
    """
    found: list[Chunk] = []
    while len(found) <= MAX_CHUNKS:
        end = min((_end(row, chunk.text) for row in asked.rows(chunk.text)), default=0)
        if not 0 < end < len(chunk.text):
            break
        found.append(chunk.cut(0, end))
        chunk = chunk.cut(end, len(chunk.text))
    return (*found, chunk)


def _end(row: TokenRow, text: str) -> int:
    """Where a text is to be cut for one tokenizer: its length, if it fits or is not to be cut."""
    starts = [token.start for token in row.tokens if token.start is not None and not token.cut]
    lost = [token.start for token in row.cut if token.start is not None]
    if not row.pieces or not lost or not starts:
        return len(text)
    end = min(lost)
    comma = text.rfind(",", 0, end) + 1
    if comma > starts[-LOOK_BACK:][0]:
        return comma
    space = max(text.rfind(" ", 0, end), text.rfind("\n", 0, end)) + 1
    return space if text[:space].strip() else end


def told(rows: Sequence[TokenRow], text: str) -> tuple[str, ...]:
    """A sentence for what was cut off from each of the sequences of a text."""
    found: dict[str, None] = {}
    for row in rows:
        lost = [token.start for token in row.cut if token.start is not None]
        if lost and row.tensors:
            read = sum(not token.cut for token in row.tokens)
            found[
                f"The text has {len(row.tokens)} tokens, and this text encoder reads {read}: it "
                f"was cut off before {short(text[min(lost) :])}."
            ] = None
    return tuple(found)


def short(text: str, most: int = 60) -> str:
    """A text in quotes, shortened."""
    return f'"{text}"' if len(text) <= most else f'"{text[: most - 3]}..."'


def _encoded(asked: Coder, chunk: Chunk) -> Conditioning:
    plain = asked.encode(chunk.text)
    if not chunk.spans:
        return plain
    rows = asked.rows(chunk.text)
    if not any(token.start is not None for row in rows if row.tensors for token in row.tokens):
        raise DiffusionError(
            f"The tokenizer of this {asked.family.card.title} does not tell where its tokens are "
            "in the text, so weights have no place. Take them out of the prompt."
        )
    empty = None if MASK in plain.tensors else asked.encode("")
    tensors = dict(plain.tensors)
    for name in {name for row in rows for name in row.tensors}:
        weights = {p: w for row in rows if name in row.tensors for p, w in _weights(row, chunk)}
        unsaid = None if empty is None else empty.tensors[name]
        tensors[name] = _weighted(tensors[name], unsaid, weights)
    return Conditioning(plain.space, tensors, plain.params)


def _weights(row: TokenRow, chunk: Chunk) -> list[tuple[int, float]]:
    """``(place, weight)`` of each token of the text: the mean over its characters but spaces."""
    each = np.ones(len(chunk.text))
    for span in chunk.spans:
        each[span.start : span.end] = span.weight
    seen = np.array([not char.isspace() for char in chunk.text], bool)
    found = []
    for token in row.tokens:
        if token.place is not None and token.start is not None:
            part = slice(token.start, token.end)
            of = each[part][seen[part]] if seen[part].any() else each[part]
            found.append((token.place, float(of.mean())))
    return found


def _weighted(said: Float32, unsaid: Float32 | None, weights: Mapping[int, float]) -> Float32:
    """``e + w (c - e)`` at every place of a weight that is not 1. ``e`` is ``unsaid`` at the place,
    or the mean of ``said`` over all places of ``weights``."""
    if unsaid is None or unsaid.shape != said.shape:
        unsaid = np.broadcast_to(said[:, list(weights)].mean(1, keepdims=True), said.shape)
    places = [place for place, weight in weights.items() if weight != 1]
    by = np.array([weights[place] for place in places], np.float32)[:, None]
    made = said.copy()
    made[:, places] = unsaid[:, places] + by * (said[:, places] - unsaid[:, places])
    return made
