r"""Prompts: what the syntax means, what stays text, and laws over any text."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.graph.prompts import (
    MAX_DEPTH,
    MAX_PHASES,
    MAX_PROMPT,
    MAX_WEIGHT,
    Chunk,
    PromptError,
    Span,
    escape,
    read_prompt,
)


def said(text: str, done: float = 0.0) -> list[list[tuple[str, float]]]:
    """Each chunk as its pieces with their weights."""
    return [pieces(chunk) for chunk in read_prompt(text).at(done)]


def pieces(chunk: Chunk) -> list[tuple[str, float]]:
    found, place = [], 0
    for span in (*chunk.spans, Span(len(chunk.text), len(chunk.text), 1.0)):
        found.append((chunk.text[place : span.start], 1.0))
        found.append((chunk.text[span.start : span.end], span.weight))
        place = span.end
    return [piece for piece in found if piece[0]]


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("a red cat", [("a red cat", 1)]),
        ("a (red:1.3) cat", [("a ", 1), ("red", 1.3), (" cat", 1)]),
        ("a (red) cat", [("a ", 1), ("red", 1.1), (" cat", 1)]),
        ("(a (red:1.5) cat:0.5)", [("a ", 0.5), ("red", 0.75), (" cat", 0.5)]),
        ("(red: -1 )", [("red", -1)]),
        ("(red:.5)(hot:0.5)", [("redhot", 0.5)]),
        ("(at 10:30, noon)", [("at 10:30, noon", 1.1)]),
        ("(16:9:0.5)", [("16:9", 0.5)]),
        ("(red:1)", [("red", 1)]),
        (r"a \(red:1.3\) cat", [("a (red:1.3) cat", 1)]),
        (r"(a \) b\\:2)", [("a ) b" + "\\", 2)]),
        (r"a\b \n", [(r"a\b \n", 1)]),
    ],
)
def test_weights(text: str, means: list[tuple[str, float]]) -> None:
    (found,) = said(text)
    assert [piece for piece, _ in found] == [piece for piece, _ in means]
    assert [weight for _, weight in found] == pytest.approx([weight for _, weight in means])


@pytest.mark.parametrize(
    "text",
    ["a (red cat", "a red) cat", ":) (:", "[red] cat", "[a:b]", "[a:b:c:0.5]", "f()", "(:1.2)",
     "[:0.5]", "10:30", "a]b[", "BREAKFAST", "unBREAK", "[a|b]", "  a  ", "", "  "],
)  # fmt: skip
def test_what_is_no_syntax_is_text(text: str) -> None:
    assert read_prompt(text).at(0) == (Chunk(text),)


def test_a_bracket_closes_the_nearest_of_its_kind() -> None:
    assert said("(a [b:1.5) c]") == [[("a [b", 1.5), (" c]", 1.0)]]


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("a [red:blue:0.4] cat", "a red cat", "a blue cat"),
        ("a [blue:0.4] cat", "a  cat", "a blue cat"),
        ("a [red::0.4] cat", "a red cat", "a  cat"),
        ("[:blue:.4]", "", "blue"),
        ("[red [hot:cold:0.2]::0.4]", "red hot", ""),
    ],
)
def test_changes(text: str, before: str, after: str) -> None:
    prompt = read_prompt(text)
    assert [c.text for c in prompt.at(0.0)] == [before]
    assert [c.text for c in prompt.at(0.4)] == [after]


def test_phases_begin_where_the_prompt_changes() -> None:
    prompt = read_prompt("[a:b:0.5] [c::0.25] [(d:1.5):d:0.5] [e:e:0.75] [f:g:1.0]")
    texts = [(begin, chunks[0].text) for begin, chunks in prompt.phases()]
    assert texts == [(0.0, "a c d e f"), (0.25, "a  d e f"), (0.5, "b  d e f")]
    assert read_prompt("[a:b:0]").phases() == ((0.0, (Chunk("b"),)),)
    assert read_prompt("[x:(x:1.5):0.5]").phases()[1] == (0.5, (Chunk("x", (Span(0, 1, 1.5),)),))


def test_breaks_part_chunks_and_empty_ones_are_left_out() -> None:
    assert said("a cat BREAK a dog") == [[("a cat", 1)], [("a dog", 1)]]
    assert said("BREAK a BREAK\nBREAK b BREAK") == [[("a", 1)], [("b", 1)]]
    assert said("(a BREAK b:2) c") == [[("a", 2)], [("b", 2), (" c", 1)]]
    assert said("BREAK") == [[]]
    assert said("[a BREAK b:c:0.5]", 0.5) == [[("c", 1)]]
    assert said(r"a \BREAK b") == [[("a BREAK b", 1)]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("(red:30)", "weight 30 is out of -10 to 10"),
        ("((red:5):-5)", "weight -25 is out of"),
        ("[red:(blue:11):0.5]", "weight 11"),
        ("[red:blue:10]", "ends in 10, which is no fraction of the steps"),
        ("[red:1]", "ends in 1, which is no fraction"),
        ("[red:-0.5]", "ends in -0.5"),
        ("(" * (MAX_DEPTH + 1) + "a" + ")" * (MAX_DEPTH + 1), f"more than {MAX_DEPTH} deep"),
        ("a" * (MAX_PROMPT + 1), f"at most {MAX_PROMPT} are read"),
        ("a \ud83d b", r"Character 3 of this text is only half of one \(U\+D83D\)"),
    ],
    ids=range(9),
)
def test_what_cannot_be_meant_is_explained(text: str, says: str) -> None:
    with pytest.raises(PromptError, match=says):
        read_prompt(text)


def test_there_are_not_too_many_phases() -> None:
    many = "".join(f"[a:b:0.{i:03}]" for i in range(1, MAX_PHASES + 2))
    with pytest.raises(PromptError, match="changes at"):
        read_prompt(many).phases()


noisy = st.text("ab :()[]\\.015", max_size=60) | st.lists(
    st.sampled_from(["(", ")", "[", "]", ":", "\\", " ", "BREAK", "cat", "0.5", ":0.5]", ":1.2)"]),
    max_size=40,
).map("".join)  # fmt: skip


@given(st.text().filter(lambda text: not set(text) & set("()[]\\")))
def test_text_without_syntax_is_unchanged(text: str) -> None:
    if "BREAK" not in text:
        assert read_prompt(text).at(0) == (Chunk(text),)


@given(st.text())
def test_what_is_escaped_stands_for_itself(text: str) -> None:
    assert read_prompt(escape(text)).at(0) == (Chunk(text),)


@given(noisy)
def test_any_text_is_read_or_explained_and_printing_is_stable(text: str) -> None:
    try:
        prompt = read_prompt(text)
    except PromptError:
        return
    assert read_prompt(str(prompt)) == prompt
    for done in (0.0, 0.5, 1.0):
        for chunk in prompt.at(done):
            ends = [place for span in chunk.spans for place in (span.start, span.end)]
            assert ends == sorted(ends)
            assert all(span.start < span.end for span in chunk.spans)
            assert not ends or (ends[0] >= 0 and ends[-1] <= len(chunk.text))


@given(st.lists(st.floats(0.2, 1.5), min_size=1, max_size=5))
def test_nested_weights_multiply(weights: list[float]) -> None:
    text = "red"
    for weight in weights:
        text = f"({text}:{weight:.6f})"
    product = math.prod(round(weight, 6) for weight in weights)
    if abs(product) <= MAX_WEIGHT:
        ((piece,),) = said(f"{text}")
        assert piece == ("red", pytest.approx(product))


@pytest.mark.parametrize("bit", ["(", ")", "[", ":", "(a:1.2)", "[a", "a BREAK ", " ", "\\", "(]"])
def test_the_longest_text_is_read_quickly(bit: str) -> None:
    text = (bit * MAX_PROMPT)[:MAX_PROMPT]
    began = time.process_time()
    read_prompt(text).phases()
    assert time.process_time() - began < 5
