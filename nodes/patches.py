"""Nodes that lay patches over a model: what changes is the reference, never the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from backend.models.agree import runs_in_steps
from backend.models.explain import explained
from backend.models.lora.adapter import check_lora, lora_patch, plain_patch, text_patch, unused
from backend.models.lora.fit import check_fits
from backend.models.pipelines.reference import refuse_whole
from backend.models.rotary import METHODS
from backend.sdk import Context, Facts, FilePath, Model, Range, TextEncoder, facts_of, node
from backend.values import Patch

if TYPE_CHECKING:
    RopeMethod: TypeAlias = str
else:
    RopeMethod = Literal[tuple(METHODS)]


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
    runs_in_steps(model)
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

    Files of diffusers, PEFT and kohya's trainers are read, LoHa and LoKr too, from safetensors
    only; one for another model is refused at once. Chain the node to lay on several. The weights
    themselves are not touched: `strength` 0 gives the same bits as no LoRA, and a negative one goes
    the other way. `begin` and `end` keep it to a part of the steps, as fractions.

    Example: load_model -> lora(file="ink.safetensors", strength=0.8) -> sample.model.
    """
    path = ctx.read(file)
    with explained():
        refuse_whole(model)
        patch = lora_patch(path, model.family, strength, begin, end)
        check_fits(path, model)
        if said := unused(path):
            ctx.note(said)
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
    path = ctx.read(file)
    with explained():
        patch = text_patch(path, text_encoder.family, strength)
        if said := unused(path):
            ctx.note(said)
    return text_encoder.with_(patch) if strength else text_encoder


def _check(p: Any, known: Facts | None, on_text: bool) -> None:
    """Look at the file's header while the graph is edited."""
    if known is not None and known.family and p.file:
        with explained():
            check_lora(p.lookup.file(p.file), known.family, on_text)


@lora.facts
def _(p: Any, model: Facts | None) -> Facts:
    runs_in_steps(model)
    _check(p, model, on_text=False)
    return model or facts_of("Model")


@lora.gives
def _(p: Any, ctx: Context, model: Model) -> Model:
    """The same without the look at the model's layers, for which it is made without weights."""
    path = ctx.read(p.file)
    return model.with_(plain_patch(path, p.strength, p.begin, p.end)) if p.strength else model


@lora_on_text.facts
def _(p: Any, text_encoder: Facts | None) -> Facts:
    _check(p, text_encoder, on_text=True)
    return text_encoder or facts_of("TextEncoder")


@node(
    category="Model/Patches",
    title="Scale positions",
    aliases=("rope", "ntk", "yarn", "high resolution", "ultraflux", "seedream"),
)
def rope_scale(
    ctx: Context,
    model: Model,
    kind: RopeMethod = "scaled",
    trained_width: Annotated[int, Range(0, 16384, 8)] = 0,
    trained_height: Annotated[int, Range(0, 16384, 8)] = 0,
    strength: Annotated[float, Range(0, 1, 0.01)] = 1.0,
    begin: Annotated[float, Range(0, 1, 0.01)] = 0.0,
    end: Annotated[float, Range(0, 1, 0.01)] = 1.0,
) -> Model:
    """Keep pictures in one piece that are larger than the model was trained for.

    Beyond its trained size a model repeats objects. `scaled` (Seedream 2.0) spreads the positions
    it knows over the whole picture, `ntk` (Lumina-T2X) slows the slow rotations, `ntk_timed`
    (Lumina-Next) goes from the first to the second during a run, `yarn` treats each band of
    rotations by itself, and `ultraflux` is `yarn` on whole turns, for models trained with it. The
    trained size is the model's default where it is 0; at that size nothing changes, nor at
    `strength` 0. `begin` and `end` keep it to a part of the steps, as fractions.

    Example: load_model -> rope_scale(kind="scaled") -> sample with an empty_latent of 1536x1536:
    one scene instead of several.
    """
    params: dict[str, Any] = {
        "method": kind, "width": trained_width, "height": trained_height, "begin": begin,
        "end": end,
    }  # fmt: skip
    return model.with_(Patch("rope", strength, params)) if strength else model


@rope_scale.facts
def _(p: Any, model: Facts | None) -> Facts:
    runs_in_steps(model)
    return model or facts_of("Model")
