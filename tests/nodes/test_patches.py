from __future__ import annotations

import pytest

from backend.values import Model, Patch
from nodes.conditioning import skip_layer_guider
from nodes.patches import share_attention
from tests.nodes.fake_device import FakeDevice

MODEL = Model("flux", "transformer", "fast:1", "/somewhere")


def test_sharing_is_a_patch_on_the_reference() -> None:
    shared = share_attention(FakeDevice({}), MODEL, strength=0.5, end=0.4)
    assert shared.patches == (Patch("shared_attention", 0.5, {"begin": 0.0, "end": 0.4}),)
    assert shared.identity == MODEL.identity


def test_without_strength_the_reference_stays_the_same() -> None:
    assert share_attention(FakeDevice({}), MODEL, strength=0.0) is MODEL


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


@pytest.fixture
def texts():
    import numpy as np

    from backend.values import Conditioning

    return tuple(Conditioning("x", {"sequence": np.full((1, 2, 4), v)}) for v in (1.0, 2.0))
