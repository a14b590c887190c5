from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from backend.sdk import Conditioning, Model, TextEncoder, UserError, facts_of
from nodes.conditioning import cfg_pp_guider, compose_conditions, encode_text, guider
from nodes.loaders import load_text_encoder
from tests.backend.models import tiny_lumina2, tiny_sana
from tests.nodes.fake_device import FakeDevice

MODEL = Model("flux", "transformer", "fast:1", "/nowhere")
CTX = FakeDevice({})


def condition(value: float) -> Conditioning:
    return Conditioning("flux1", {"sequence": np.full((1, 2, 3), value)})


def test_guider_keeps_only_the_settings_of_its_kind() -> None:
    made = guider(CTX, MODEL, condition(1), condition(0), "cfg_interval", 5.0, 0.1, 0.7)
    assert (made.kind, dict(made.params)) == (
        "cfg_interval",
        {"begin": 0.1, "cfg": 5.0, "end": 0.7},
    )
    assert [term.role for term in made.terms] == ["positive", "negative"]
    assert made.model == MODEL


def test_guider_without_a_negative_does_not_guide() -> None:
    made = guider(CTX, MODEL, condition(1), None, "cfg")
    assert (made.kind, dict(made.params), len(made.terms)) == ("none", {}, 1)
    known = guider.hooks["facts"](
        SimpleNamespace(kind="cfg"), model=facts_of("Model", family="flux"), positive=None
    )
    assert (known.kind, known.family) == ("none", "flux")


def test_cfg_pp_guider_has_its_strength() -> None:
    made = cfg_pp_guider(CTX, MODEL, condition(1), condition(0), 0.4)
    assert (made.kind, made.params["strength"]) == ("cfg_pp", 0.4)


def test_compose_gives_each_condition_its_weight() -> None:
    made = compose_conditions(
        CTX, MODEL, condition(0), condition(1), condition(2), weights=(4, -2.0)
    )
    assert [(term.role, term.weight) for term in made.terms] == [
        ("positive", 4.0),
        ("positive", -2.0),
        ("negative", 1.0),
    ]
    same = compose_conditions(CTX, MODEL, condition(0), condition(1), condition(2), weights=(3.0,))
    assert [term.weight for term in same.terms[:2]] == [3.0, 3.0]


def test_compose_wants_conditions_and_matching_weights() -> None:
    with pytest.raises(UserError, match="at least one"):
        compose_conditions(CTX, MODEL, condition(0))
    with pytest.raises(UserError, match="1 conditions but 2 weights"):
        compose_conditions(CTX, MODEL, condition(0), condition(1), weights=(1.0, 2.0))


def test_encode_text_of_an_unknown_family_is_explained() -> None:
    encoder = TextEncoder("unheard", "text_encoder", "fast:1", "/nowhere", space="x")
    with pytest.raises(UserError, match="no model family 'unheard'"):
        encode_text(CTX, encoder, "hello")


@pytest.mark.parametrize("tiny", [tiny_lumina2, tiny_sana])
def test_a_negative_text_has_no_instruction_before_it(tiny: Any, tmp_path: Path) -> None:
    """As in diffusers' pipelines of Lumina 2 and Sana."""
    ctx, text = FakeDevice({"model": tiny.write(tmp_path / "model")}), "two grey dogs"
    encoder = load_text_encoder(ctx, "model")
    asked = encode_text(ctx, encoder, text).tensors["sequence"]
    negative = encode_text(ctx, encoder, text, negative=True).tensors["sequence"]
    assert negative.shape[1] == 1 + len(text)
    assert np.abs(asked[:, -5:] - negative[:, -5:]).max() > 1e-3
    empty = [encode_text(ctx, encoder, "", negative=told) for told in (False, True)]
    assert np.array_equal(empty[0].tensors["sequence"], empty[1].tensors["sequence"])
