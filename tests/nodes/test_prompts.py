"""Prompts in nodes: what they show, what they refuse, and conditionings put together."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import backend
from backend.sdk import Conditioning, UserError, facts_of
from backend.values import Phase
from nodes.conditioning import encode_text
from nodes.loaders import load_model
from nodes.prompts import average_conditions, concat_conditions, token_view, zero_out
from tests.nodes.fake_device import FakeDevice

PRIMER = Path(backend.__file__).parent.parent / "resources/models/primer"
CTX = FakeDevice({})


@pytest.fixture(scope="module")
def bench() -> tuple[FakeDevice, Any]:
    ctx = FakeDevice({"primer": PRIMER})
    return ctx, load_model(ctx, "primer").text_encoder


def condition(value: float, tokens: int = 2, mask: int | None = None, **more: Any) -> Conditioning:
    """A sequence full of one value; ``mask`` of its tokens are there, if it has a mask."""
    tensors = {"sequence": np.full((1, tokens, 3), value), "pooled": np.full((1, 4), value)}
    if mask is not None:
        there = np.arange(tokens) < mask
        tensors |= {"mask": there[None], "sequence": tensors["sequence"] * there[:, None]}
    return Conditioning("flux1", tensors, **more)


def test_encode_text_understands_prompts_or_takes_them_as_they_are(bench: Any) -> None:
    ctx, encoder = bench
    plain = encode_text(ctx, encoder, "a red circle")
    weighted = encode_text(ctx, encoder, "a (red:1.5) circle")
    literal = encode_text(ctx, encoder, "a (red:1.5) circle", syntax="plain")
    escaped = encode_text(ctx, encoder, r"a \(red:1.5\) circle")
    sequences = [c.tensors["sequence"] for c in (plain, weighted, literal, escaped)]
    assert not np.array_equal(sequences[0], sequences[1])
    assert not np.array_equal(sequences[1], sequences[2])
    assert np.array_equal(sequences[2], sequences[3])
    assert [phase.begin for phase in encode_text(ctx, encoder, "[a:b:0.4]").later] == [0.4]
    assert ctx.notes == []


@pytest.mark.parametrize("read", [encode_text, token_view])
@pytest.mark.parametrize("syntax", ["plain", "weights"])
def test_half_of_a_character_is_a_sentence(bench: Any, read: Any, syntax: str) -> None:
    ctx, encoder = bench
    with pytest.raises(UserError, match="Character 3 of this text is only half of one"):
        read(ctx, encoder, "a \ud83d", syntax=syntax)


def test_encode_text_says_what_it_cut_off(bench: Any) -> None:
    ctx, encoder = bench
    encode_text(ctx, encoder, "a red circle, " * 20)
    assert len(ctx.notes) == 1
    assert "this text encoder reads 32: it was cut off before" in ctx.notes.pop()
    encode_text(ctx, encoder, "a red circle, " * 20, syntax="plain")
    assert "cut off before" in ctx.notes.pop()


def test_mistakes_are_found_before_anything_runs() -> None:
    facts = encode_text.hooks["facts"]
    with pytest.raises(UserError, match="no fraction of the steps"):
        facts(SimpleNamespace(text="[a:b:10]", syntax="weights"), text_encoder=None)
    for text, syntax in (("[a:b:10]", "plain"), (None, "weights"), ("[a:b:0.1]", "weights")):
        found = facts(SimpleNamespace(text=text, syntax=syntax), text_encoder=None)
        assert (found.type, found.count) == ("Conditioning", 1)
    with pytest.raises(UserError, match="no fraction"):
        token_view.hooks["facts"](SimpleNamespace(text="[a:b:10]", syntax="weights"), None)


def test_older_workflows_keep_their_brackets() -> None:
    lift = encode_text.migrations[1]
    assert lift({"text": "a (red) cat"}, {}) == ({"text": "a (red) cat", "syntax": "plain"}, {})
    assert encode_text.spec.version == 2


def test_the_token_view_shows_what_is_read(bench: Any) -> None:
    ctx, encoder = bench
    assert token_view(ctx, encoder, "a (red:1.5) circle").splitlines() == [
        "T5: 4 of 32 tokens",
        "  a | red x1.5 | circle",
        "CLIP, for the pooled vector: 5 of 32 tokens",
        "  a | red | circle",
    ]
    assert "  a | (" in token_view(ctx, encoder, "a (red:1.5) circle", "plain")
    assert token_view(ctx, encoder, "").splitlines()[:2] == ["T5: 1 of 32 tokens", ""]


def test_the_token_view_shows_what_is_cut_off(bench: Any) -> None:
    ctx, encoder = bench
    lines = token_view(ctx, encoder, "a red circle " * 11 + "on the left").splitlines()
    assert lines[0] == "T5: 32 of 32 tokens"
    assert lines[2].startswith("  cut off: ")
    assert lines[2].endswith("on the left")
    shown = lines[1].replace(" | ", " ").split()
    assert " ".join(shown) + " " + lines[2].removeprefix("  cut off: ") == (
        "a red circle " * 11 + "on the left"
    )


def test_the_token_view_shows_phases_and_chunks(bench: Any) -> None:
    ctx, encoder = bench
    lines = token_view(ctx, encoder, "a cat BREAK [red:blue:0.5]").splitlines()
    assert [line for line in lines if line.endswith(":")] == [
        "From 0 of the steps:", "Chunk 1 of 2:", "Chunk 2 of 2:",
        "From 0.5 of the steps:", "Chunk 1 of 2:", "Chunk 2 of 2:",
    ]  # fmt: skip
    assert sum("blue" in line for line in lines) == 2  # once for each tokenizer


def test_zero_out_keeps_only_what_goes_along() -> None:
    given = condition(2.0, 3, mask=2, params={"guidance": 3.0})
    found = zero_out(CTX, given)
    assert {name: t.max() for name, t in found.tensors.items()} == {
        "mask": 1, "pooled": 0, "sequence": 0,
    }  # fmt: skip
    assert found.params["guidance"] == 3.0
    later = zero_out(CTX, condition(2.0, later=(Phase(0.5, given),)))
    assert later.at(0.6).tensors["sequence"].max() == 0


def test_average_conditions_is_one_at_each_end_and_the_mean_between() -> None:
    a, b = condition(1.0, params={"guidance": 2.0}), condition(3.0, params={"guidance": 4.0})
    assert average_conditions(CTX, a, b, 0.0) is a
    assert average_conditions(CTX, a, b, 1.0) is b
    half = average_conditions(CTX, a, b, 0.25)
    assert half.tensors["sequence"].flat[0] == half.tensors["pooled"].flat[0] == 1.5
    assert half.params["guidance"] == 2.5


def test_average_conditions_fills_up_what_is_masked() -> None:
    found = average_conditions(CTX, condition(1.0, 2, mask=2), condition(3.0, 4, mask=3), 0.5)
    assert found.tensors["sequence"][0, :, 0].tolist() == [2.0, 2.0, 1.5, 0.0]
    assert found.tensors["mask"].tolist() == [[1, 1, 1, 0]]
    with pytest.raises(UserError, match="have a sequence of 1x2x3 and 1x4x3, so they have no mean"):
        average_conditions(CTX, condition(1.0, 2), condition(1.0, 4))


def test_concat_conditions_joins_tokens() -> None:
    a, b = condition(1.0, params={"guidance": 2.0}), condition(3.0, 4)
    found = concat_conditions(CTX, a, b)
    assert found.tensors["sequence"][0, :, 0].tolist() == [1, 1, 3, 3, 3, 3]
    assert np.array_equal(found.tensors["pooled"], a.tensors["pooled"])
    assert found.params == a.params
    assert concat_conditions(CTX, a) is a
    masked = concat_conditions(CTX, condition(1.0, 3, mask=1), condition(2.0, 3, mask=2))
    assert masked.tensors["sequence"][0, :, 0].tolist() == [1, 2, 2]
    assert masked.tensors["mask"].tolist() == [[1, 1, 1]]


def test_concat_conditions_serves_batches() -> None:
    two = Conditioning("flux1", {
        "sequence": np.array([[[1.0], [2.0]], [[3.0], [0.0]]]), "mask": np.array([[1, 1], [1, 0]]),
    })  # fmt: skip
    one = Conditioning("flux1", {"sequence": np.full((1, 1, 1), 9.0), "mask": np.ones((1, 1))})
    found = concat_conditions(CTX, one, two)
    assert found.tensors["sequence"][:, :, 0].tolist() == [[9, 1, 2], [9, 3, 0]]
    assert found.tensors["mask"].tolist() == [[1, 1, 1], [1, 1, 0]]
    three = Conditioning("flux1", {name: np.repeat(t, 3, 0) for name, t in one.tensors.items()})
    with pytest.raises(UserError, match="one text each, or all as many"):
        concat_conditions(CTX, two, three)


def test_changes_of_both_meet_on_one_time_line() -> None:
    a = condition(1.0, later=(Phase(0.25, condition(2.0)), Phase(0.75, condition(3.0))))
    b = condition(10.0, later=(Phase(0.5, condition(20.0)),))
    found = concat_conditions(CTX, a, b)
    seen = {at: found.at(at).tensors["sequence"][0, ::2, 0].tolist() for at in (0, 0.3, 0.6, 0.9)}
    assert seen == {0: [1, 10], 0.3: [2, 10], 0.6: [2, 20], 0.9: [3, 20]}
    mean = average_conditions(CTX, a, b, 0.5)
    assert [mean.at(at).tensors["pooled"].flat[0] for at in (0, 0.3, 0.6, 0.9)] == [
        5.5, 6, 11, 11.5,
    ]  # fmt: skip


def test_conditionings_of_two_spaces_are_refused_at_once_and_in_the_run() -> None:
    other = Conditioning("clip", condition(1.0).tensors)
    for call in (average_conditions, concat_conditions):
        with pytest.raises(UserError, match="text spaces flux1 and clip"):
            call(CTX, condition(1.0), other)
    one, two = (facts_of("Conditioning", space=space) for space in ("flux1", "clip"))
    with pytest.raises(UserError, match="different text spaces"):
        average_conditions.hooks["facts"](None, a=one, b=two)
    with pytest.raises(UserError, match="different text spaces"):
        concat_conditions.hooks["facts"](None, conditions=(one, None, two))
    assert average_conditions.hooks["facts"](None, a=one, b=None).space == "flux1"
    assert concat_conditions.hooks["facts"](None, conditions=()).type == "Conditioning"
    with pytest.raises(UserError, match="nothing to put together"):
        concat_conditions(CTX)
