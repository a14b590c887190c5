"""Where words end up among tokens, on real tokenizers of each kind."""

from __future__ import annotations

from functools import partial

import pytest

from backend.models.text_llm import chats
from backend.models.tokens import TokenRow, token_row
from tests.backend.models import tiny, tiny_llm

CLIP, T5, QWEN = tiny.clip_tokenizer(), tiny.t5_tokenizer(), tiny_llm.qwen_tokenizer(64)
TEXT = "a red, cat"


def chat(text: str) -> str:
    return chats(QWEN, [text], enable_thinking=True)[0]


def words(row: TokenRow, text: str) -> str:
    """The text as its tokens hold it."""
    found: dict[int, str] = {}
    for token in row.tokens:
        if token.start is not None and token.end is not None:
            assert token.piece == text[token.start : token.end]
            found[token.start] = token.piece
    return "".join(found[start] for start in sorted(found))


def test_clip_adds_a_beginning_and_an_end() -> None:
    row = token_row("CLIP", CLIP, TEXT, 12)
    assert [t.place for t in row.tokens] == list(range(10))
    assert (row.tokens[0].start, row.tokens[-1].start) == (None, None)
    assert row.places(2, 5) == (2, 3, 4)
    assert words(row, TEXT) == "ared,cat"
    assert row.cut == ()


def test_t5_begins_at_the_first_word() -> None:
    row = token_row("T5", T5, TEXT, 24, first=77)
    assert row.tokens[0].place == 77
    pieces = [t.piece for t in row.tokens if t.place in row.places(2, 5)]
    assert pieces == ["r", "r", "e", "d"]  # the sign of a new word stands for its first letter


@pytest.mark.parametrize("length", [4, 8, 9, 10, 11])
def test_what_does_not_fit_is_cut_at_the_end(length: int) -> None:
    row = token_row("CLIP", CLIP, TEXT, length)
    assert sum(not t.cut for t in row.tokens) == min(length, 10)
    assert [t.place for t in row.cut] == [None] * max(10 - length, 0)
    assert words(row, TEXT) == "ared,cat"
    assert "".join(t.piece for t in row.cut) == "ared,cat"[length - 2 :]


def test_a_template_around_the_text_has_no_characters_of_it() -> None:
    for text in (TEXT, "user", "assistant", "", " a "):
        row = token_row("Qwen", QWEN, text, 64, written=chat, padding=True, packed=True)
        assert words(row, text) == text
        begin = len("*user\n")
        assert [t.place for t in row.tokens if t.start is not None] == [
            begin + i for i in range(len(text))
        ]
    dropped = token_row("Qwen", QWEN, TEXT, 64, written=chat, first=-6)
    assert [t.place for t in dropped.tokens][:8] == [None] * 6 + [0, 1]
    assert dropped.places(0, 1) == (0,)


def test_padding_in_front_counts_unless_it_is_gone() -> None:
    left = tiny_llm.qwen_tokenizer(64)
    left.padding_side = "left"
    assert token_row("Qwen", left, TEXT, 16).tokens[0].place == 6
    assert token_row("Qwen", left, TEXT, 16, packed=True).tokens[0].place == 0


def test_a_cleaned_text_keeps_the_characters_of_the_first() -> None:
    clean = partial(str.join, " ")
    text = "  A   Red,\n\n cat "
    row = token_row("T5", T5, text, 40, written=lambda said: clean(said.lower().split()))
    start = text.index("Red")
    assert {text[t.start : t.end] for t in row.tokens if t.place in row.places(start, start + 3)
            and t.start is not None} == {"R", "e", "d"}  # fmt: skip


def test_a_tokenizer_without_offsets_still_tells_what_was_cut() -> None:
    class Slow:
        """A tokenizer that is not of the tokenizers library."""

        is_fast = False

        def __call__(self, text: str, **options: object) -> dict[str, list[int]]:
            assert not options.pop("return_offsets_mapping")
            coded = CLIP(text, **options)
            return dict(coded)

        def convert_ids_to_tokens(self, index: int) -> str:
            return str(CLIP.convert_ids_to_tokens(index))

    row = token_row("slow", Slow(), TEXT, 8)
    assert [t.start for t in row.tokens] == [None] * 10
    assert len(row.cut) == 2
