"""The tokenizer: any text goes in and comes out again, and the world's words are whole."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")

from backend.models.language.tokens import TokenTable
from backend.train.language import corpus, tokenizer

WORDS = tokenizer.build(64)


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_goes_in_and_comes_out_again(text: str) -> None:
    for name in tokenizer.SPECIALS:
        text = text.replace(name, "")
    assert WORDS.decode(WORDS(text)["input_ids"]) == text


def test_words_and_the_numbers_of_boxes_are_whole() -> None:
    assert WORDS.tokenize("a striped red circle") == ["a", "Ġstriped", "Ġred", "Ġcircle"]
    written = '[{"box":[0.05,0.30],"caption":"a ring"},{"box":['
    assert WORDS.tokenize(written) == [
        '[{"box":[', "0.", "05", ",0.", "30", '],"caption":"', "a", "Ġring", '"},{"box":[',
    ]  # fmt: skip


def test_every_caption_of_the_world_has_a_token_for_each_word() -> None:
    for index in range(40):
        caption = corpus.draw(1, index, "go on")[1].removesuffix(tokenizer.END)
        if caption.startswith(("a", "A", "o")):
            assert len(WORDS.tokenize(caption)) <= len(caption.replace(",", " ,").split()) + 2


def test_it_tells_its_bytes_to_the_grammar_engine() -> None:
    table = TokenTable.of(WORDS)
    number = WORDS.convert_tokens_to_ids('],"caption":"')
    assert table.text(number) == b'],"caption":"'
    assert len(table.single) >= 256 - 64
