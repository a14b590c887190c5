"""Nodes that lay patches over a model: what changes is the reference, never the weights."""

from __future__ import annotations

from typing import Annotated, Any

from backend.models.explain import explained
from backend.models.lora.adapter import lora_patch, text_patch
from backend.sdk import Context, Facts, FilePath, Model, Range, TextEncoder, facts_of, node
from backend.values import Patch


@node(category="Model/Patches", aliases=("style aligned", "consistent style", "reference"))
def share_attention(
    ctx: Context,
    model: Model,
    strength: Annotated[float, Range(0, 1, 0.01)] = 1.0,
    begin: Annotated[float, Range(0, 1, 0.01)] = 0.0,
    end: Annotated[float, Range(0, 1, 0.01)] = 1.0,
) -> Model:
    """Let all pictures of a batch look at the first one, so that they come out alike.

    Each sample's attention also sees the keys and values of sample 0, which itself stays as it
    is. `strength` 0 changes nothing, not even a bit; `begin` and `end` keep it to a part of the
    steps. Follows StyleAligned's shared attention (arXiv:2312.02133).

    Example: load_model -> share_attention(strength=0.8) -> sample with an empty_latent of
    count=4: four pictures in the manner of the first.
    """
    patch = Patch("shared_attention", strength, {"begin": begin, "end": end})
    return model.with_(patch) if strength else model


@share_attention.facts
def _(p: Any, model: Facts | None) -> Facts:
    return model or facts_of("Model")


@node(category="Model/Patches", title="LoRA", aliases=("lora", "adapter", "load lora", "peft"))
def lora(
    ctx: Context,
    model: Model,
    file: FilePath = "",
    strength: Annotated[float, Range(-10, 10, 0.05)] = 1.0,
    begin: Annotated[float, Range(0, 1, 0.01)] = 0.0,
    end: Annotated[float, Range(0, 1, 0.01)] = 1.0,
) -> Model:
    """Lay a LoRA over a model: a style, a subject or a skill that was trained for its family.

    Files of diffusers, PEFT and kohya's trainers are read, from safetensors only. Chain the node
    to lay on several. The weights themselves are not touched: `strength` 0 gives the same bits as
    no LoRA, and a negative one goes the other way. `begin` and `end` keep it to a part of the
    steps, as fractions.

    Example: load_model -> lora(file="ink.safetensors", strength=0.8) -> sample.model.
    """
    with explained():
        patch = lora_patch(ctx.read(file), model.family, strength, begin, end)
    return model.with_(patch) if strength else model


@node(category="Model/Patches", title="LoRA on text", aliases=("lora clip", "text lora"))
def lora_on_text(
    ctx: Context,
    text_encoder: TextEncoder,
    file: FilePath = "",
    strength: Annotated[float, Range(-10, 10, 0.05)] = 1.0,
) -> TextEncoder:
    """Lay the part of a LoRA that was trained on the text encoders over these.

    Many files have none; then this says so. The model's part goes on with the node LoRA.

    Example: load_model.text_encoder -> lora_on_text(file="ink.safetensors") -> encode_text.
    """
    with explained():
        patch = text_patch(ctx.read(file), text_encoder.family, strength)
    return text_encoder.with_(patch) if strength else text_encoder


@lora.facts
def _(p: Any, model: Facts | None) -> Facts:
    return model or facts_of("Model")


@lora_on_text.facts
def _(p: Any, text_encoder: Facts | None) -> Facts:
    return text_encoder or facts_of("TextEncoder")
