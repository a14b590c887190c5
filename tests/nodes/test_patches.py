from __future__ import annotations

import pytest

from backend.sdk import UserError
from backend.values import Model, Patch
from nodes.conditioning import skip_layer_guider
from nodes.loaders import load_model
from nodes.patches import rope_scale, share_attention
from tests.backend.models import tiny, tiny_sd3
from tests.nodes.fake_device import FakeDevice

MODEL = Model("flux", "transformer", "fast:1", "/somewhere")


def test_sharing_is_a_patch_on_the_reference() -> None:
    shared = share_attention(FakeDevice({}), MODEL, strength=0.5, end=0.4)
    assert shared.patches == (Patch("shared_attention", 0.5, {"begin": 0.0, "end": 0.4}),)
    assert shared.identity == MODEL.identity


def test_without_strength_the_reference_stays_the_same() -> None:
    assert share_attention(FakeDevice({}), MODEL, strength=0.0) is MODEL


def test_scaled_positions_are_a_patch_on_the_reference() -> None:
    made = rope_scale(FakeDevice({}), MODEL, "ntk", trained_width=1024, strength=0.5, end=0.4)
    (patch,) = made.patches
    assert (patch.kind, patch.strength) == ("rope", 0.5)
    assert dict(patch.params) == {
        "method": "ntk",
        "width": 1024,
        "height": 0,
        "begin": 0.0,
        "end": 0.4,
    }
    assert rope_scale(FakeDevice({}), MODEL, strength=0.0) is MODEL


def test_the_skipping_term_alone_carries_the_patch(texts) -> None:
    positive, negative = texts
    guider = skip_layer_guider(FakeDevice({}), MODEL, positive, negative, layers=(7, 8), skip=2.5)
    roles = {term.role: term for term in guider.terms}
    assert roles["skip"].conditioning is positive
    assert roles["skip"].patches[0].params["layers"] == (7, 8)
    assert roles["positive"].patches == ()
    assert guider.params["skip"] == 2.5
    plain = skip_layer_guider(FakeDevice({}), MODEL, positive, negative, skip=0.0)
    assert {term.role for term in plain.terms} == {"positive", "negative"}


def test_without_numbers_the_published_blocks_are_left_out(texts, tmp_path) -> None:
    ctx = FakeDevice({"sd3": tiny_sd3.write(tmp_path / "sd3"), "flux": tiny.write(tmp_path / "f")})
    with pytest.raises(UserError, match="names no blocks"):
        skip_layer_guider(ctx, load_model(ctx, "flux").model, *texts)
    found = skip_layer_guider(ctx, load_model(ctx, "sd3").model, *texts)
    (skipping,) = [term for term in found.terms if term.role == "skip"]
    assert skipping.patches[0].params["layers"] == (7, 8, 9)


@pytest.fixture
def texts():
    import numpy as np

    from backend.values import Conditioning

    return tuple(Conditioning("x", {"sequence": np.full((1, 2, 4), v)}) for v in (1.0, 2.0))
