"""Nodes that make a model put things where a layout says."""

from __future__ import annotations

from typing import Annotated, Any

from backend.diffusion.guidance.regional import REGION, in_region
from backend.media.pixels.boxes import masks as masks_of
from backend.models.agree import runs_in_steps
from backend.models.costs import encoding
from backend.models.explain import explained
from backend.models.family import family_of
from backend.models.laid_out import adapted, guided, same_words
from backend.models.pipelines.reference import refuse_whole
from backend.sdk import (
    Conditioning,
    Context,
    Facts,
    FilePath,
    Guider,
    Layout,
    Mask,
    Model,
    Multiline,
    Peak,
    Range,
    TextEncoder,
    UserError,
    facts_of,
    node,
)
from backend.values import Float32, Term
from backend.values.layout import MOST
from nodes.conditioning import guider_facts

Share = Annotated[float, Range(0, 1, 0.01)]

_SIDE = 256
"""Pixels of the longer side at which masks go along: more than any latent needs."""


@node(
    category="Sampling/Parts",
    lane="device",
    aliases=("area conditioning", "attention couple", "multidiffusion", "regions", "latent couple"),
)
def regional_prompts(
    ctx: Context,
    model: Model,
    text_encoder: TextEncoder,
    positive: Conditioning,
    negative: Conditioning,
    layout: Layout | None = None,
    masks: Mask | None = None,
    captions: Multiline = "",
    strength: Share = 0.8,
    feather: Annotated[float, Range(0, 1, 0.01)] = 0.1,
    cfg: Annotated[float, Range(1, 30, 0.1)] = 2.0,
    begin: Share = 0.0,
    end: Share = 1.0,
) -> Guider:
    """Let each text act in its own part of the picture.

    The parts are the boxes of `layout` with their captions, or a batch of `masks` with a line of
    `captions` for each. `positive` is the text of the whole picture: it acts outside of all parts,
    and with what `strength` leaves inside of them too; 0 gives the same bits as no parts at all.
    `feather` is the width of a box's soft edge as a share of the picture's shorter side. Where
    parts overlap each has its share. `begin` and `end` keep the parts to a range of the steps;
    after it the whole text alone goes on. Each part costs one more evaluation in every step, all in
    one batch. Say in a caption what is around the object too, as in a whole prompt.

    Example: layout of "a red circle, on a grey background" at the left and "a blue star, on a grey
    background" at the right -> regional_prompts -> sample_with_parts.
    """
    with explained():
        refuse_whole(model)
        same_words(model, text_encoder)
    given = _parts(ctx, layout, masks, captions, feather)
    terms = [Term("positive", positive)]
    if strength and end > begin:
        family = family_of(text_encoder)
        for caption, mask in given:
            with explained():
                said = family.encode_text(text_encoder, [caption], {}, ctx.load, ctx.device)
            terms.append(Term(REGION, in_region(said, mask)))
    if len(terms) == 1:
        return Guider("cfg", {"cfg": cfg}, model, (*terms, Term("negative", negative)))
    params = {"cfg": cfg, "whole": 1 - strength, "begin": begin, "end": end}
    return Guider("regional", params, model, (*terms, Term("negative", negative)))


def _parts(
    ctx: Context, layout: Layout | None, masks: Mask | None, captions: str, feather: float
) -> list[tuple[str, Float32]]:
    """The captions of the parts, and their masks ``[h, w]``.

    Raises:
        UserError: there are none, both, too many, or they have no text or no area.
    """
    if (layout is None) == (masks is None):
        raise UserError(
            "Regional prompts need a layout, or masks with a line of captions for each. Link one "
            "of the two."
        )
    if layout is not None:
        scale = _SIDE / max(layout.width, layout.height)
        sides = (max(1, round(side * scale)) for side in (layout.width, layout.height))
        small = Layout(layout.boxes, *sides)
        found = masks_of(small, feather * min(small.width, small.height), ctx.check).coverage
        texts = [box.caption.strip() for box in layout.boxes]
    else:
        assert masks is not None
        found = masks.coverage
        texts = [line.strip() for line in captions.splitlines() if line.strip()]
    if len(texts) != len(found):
        raise UserError(
            f"There are {len(found)} masks and {len(texts)} lines of captions. Write one line for "
            "each mask."
        )
    if len(texts) > MOST:
        raise UserError(f"There are {len(texts)} parts, and at most {MOST} go. Take some out.")
    for number, (text, mask) in enumerate(zip(texts, found, strict=True), 1):
        if not text:
            raise UserError(f"Box {number} of the layout has no caption. Write what is there.")
        if not mask.any():
            raise UserError(f"Mask {number} is empty, so that its text acts nowhere. Draw in it.")
    return list(zip(texts, found, strict=True))


@regional_prompts.facts
def _(
    p: Any,
    model: Facts | None,
    positive: Facts | None,
    negative: Facts | None,
    layout: Facts | None = None,
    masks: Facts | None = None,
    **others: Facts | None,
) -> Facts:
    known = layout or masks
    if p.strength == 0:
        return guider_facts("cfg", model, positive, negative)
    count = known.count if known else None
    found = guider_facts("regional", model, positive, negative, more=count or 0)
    return found if count else found.but(branches=None)


@regional_prompts.peak
def _(p: Any, text_encoder: Facts | None, **others: Facts | None) -> Peak:
    return encoding(text_encoder, None, False)


@node(
    category="Model/Patches",
    lane="device",
    aliases=("boxdiff", "layout to image", "attend and excite", "attention guidance", "boxes"),
)
def layout_guidance(
    ctx: Context,
    model: Model,
    text_encoder: TextEncoder,
    layout: Layout,
    text: Multiline = "",
    strength: Annotated[float, Range(0, 10, 0.1)] = 1.0,
    intra: Annotated[float, Range(0, 10, 0.1)] = 1.0,
    inter: Annotated[float, Range(0, 10, 0.1)] = 0.5,
    within: Annotated[float, Range(0, 10, 0.1)] = 0.5,
    redistribute: Annotated[float, Range(0, 10, 0.1)] = 1.0,
    repeats: Annotated[int, Range(0, 20, 1)] = 3,
    pace: Annotated[float, Range(0, 1, 0.01)] = 0.03,
    begin: Share = 0.0,
    end: Share = 0.4,
) -> Model:
    """Put what a prompt speaks of into boxes, without any training (guidance by attention).

    `text` is the prompt of the positive conditioning, and each box's caption a part of it. Before
    each step from `begin` to `end` the latent goes `repeats` times down the gradient of three
    losses: `intra` draws the attention to a box's words into the box, `inter` keeps the words of
    different boxes apart, and `within` keeps the attention among the picture's parts inside their
    boxes. `pace` is how far it goes, in shares of the noise; `redistribute` also raises the
    attention to a box's words in it and lowers it outside. Each repeat costs about three
    evaluations, and memory for the gradient. `strength` 0 gives the same bits as no guidance.

    Example: text="a red circle and a blue star, on a grey background", boxes "red circle" and "blue
    star" -> layout_guidance -> sample.model.
    """
    params = {"intra": intra, "inter": inter, "within": within, "redistribute": redistribute,
              "repeats": repeats, "pace": pace, "begin": begin, "end": end}  # fmt: skip
    with explained():
        return guided(ctx, model, text_encoder, layout, text, strength, params)


@layout_guidance.facts
def _(p: Any, model: Facts | None, **others: Facts | None) -> Facts:
    runs_in_steps(model)
    return model or facts_of("Model")


@layout_guidance.peak
def _(p: Any, text_encoder: Facts | None, **others: Facts | None) -> Peak:
    return Peak(0, ())


@node(
    category="Model/Patches",
    lane="device",
    aliases=("gligen", "siamlayout", "creatilayout", "layout to image", "boxes", "instance"),
)
def layout_adapter(
    ctx: Context,
    model: Model,
    text_encoder: TextEncoder,
    layout: Layout,
    file: FilePath = "",
    strength: Annotated[float, Range(0, 4, 0.05)] = 1.0,
    begin: Share = 0.0,
    end: Share = 1.0,
) -> Model:
    """Put things into boxes by an adapter that has learnt to (SiamLayout).

    `file` was trained with Train adapter, form layout. The picture looks at the boxes and their
    captions in a branch beside its text; the prompt still says what the whole picture is.
    `text_encoder` is the model's own. `strength` is how much the branch counts, 0 gives the same
    bits as no adapter; `begin` and `end` keep it to a part of the steps.

    Example: layout -> layout_adapter(file="boxes.safetensors") -> sample.model.
    """
    path = ctx.read(file)
    with explained():
        return adapted(ctx, model, text_encoder, layout, path, strength, (begin, end))


@layout_adapter.facts
def _(p: Any, model: Facts | None, **others: Facts | None) -> Facts:
    runs_in_steps(model)
    return model or facts_of("Model")


@layout_adapter.peak
def _(p: Any, text_encoder: Facts | None, **others: Facts | None) -> Peak:
    return encoding(text_encoder, None, False)
