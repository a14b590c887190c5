"""Every node that computes with models says what it needs before it runs."""

from __future__ import annotations

import inspect
from types import SimpleNamespace

import pytest

from backend.engine.registry import scan_nodes
from backend.sdk import Peak, facts_of

REGISTRY = scan_nodes()
DEVICE = sorted(name for name, spec in REGISTRY.specs.items() if spec.lane == "device")


def test_no_node_that_computes_with_models_is_without_a_peak():
    assert len(DEVICE) > 15
    assert not [name for name in DEVICE if "peak" not in REGISTRY.specs[name].hooks]


def test_no_node_loads_weights_on_another_lane():
    others = (name for name, spec in REGISTRY.specs.items() if spec.lane != "device")
    source = {name: inspect.getsource(REGISTRY.type(name).function) for name in others}
    assert not [name for name, text in source.items() if "ctx.load" in text]


@pytest.mark.parametrize("name", DEVICE)
def test_a_peak_names_inputs_of_its_node_and_needs_no_facts(name):
    """With nothing linked and no parameter known there is a peak all the same."""
    spec = REGISTRY.specs[name]
    p = SimpleNamespace(**{param.name: None for param in spec.params})
    given = {s.name: {"many": (), "named": {}}.get(s.arity) for s in spec.inputs}
    told = REGISTRY.hook(name, "peak")(p, **given)
    assert isinstance(told, Peak)
    for use, passes in told.uses:
        socket = spec.input(use.partition(".")[0])
        assert socket is not None
        assert socket.type in (
            "Model", "VAE", "TextEncoder", "LanguageModel", "Upscaler", "Guider",
        )  # fmt: skip
        assert passes >= 0


@pytest.mark.parametrize(
    ("text", "syntax", "passes"),
    [
        ("", "weights", 1),
        ("a red circle", "weights", 1),
        ("a (red:1.3) circle", "weights", 2),  # and an empty text beside it
        ("a (red:1.3) circle", "plain", 1),
        ("a circle BREAK a square", "weights", 2),
        ("a [circle:square:0.4]", "weights", 2),
    ],
)
def test_a_prompt_is_encoded_once_for_each_chunk_of_each_phase(text, syntax, passes):
    told = REGISTRY.hook("encode_text", "peak")(
        SimpleNamespace(text=text, syntax=syntax), facts_of("TextEncoder", text_bytes=5)
    )
    assert told == Peak(5, (("text_encoder", passes),))


def test_a_pipeline_passes_its_denoiser_at_each_step():
    hook = REGISTRY.hook("pipeline_image", "peak")
    assert hook(SimpleNamespace(steps=30, count=2), None) == Peak(None, (("model", 60),))
    assert hook(SimpleNamespace(steps=0, count=1), None) == Peak(None, (("model", 1),))
