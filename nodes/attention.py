"""Nodes that look at a model's attention."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from backend.models.agree import same_latent_space
from backend.models.costs import guided
from backend.models.explain import explained
from backend.models.looks import word_maps
from backend.sdk import (
    Context,
    Facts,
    Guider,
    Latent,
    Mask,
    Multiline,
    Noise,
    Peak,
    Range,
    Schedule,
    Solver,
    TextEncoder,
    facts_of,
    node,
)


class Watched(NamedTuple):
    """A sampled latent, and where a word was looked at."""

    latent: Latent
    map: Mask


@node(
    category="Sampling",
    lane="device",
    title="Sample with attention map",
    aliases=("daam", "heat map", "cross attention", "where is the word"),
)
def sample_with_map(
    ctx: Context,
    guider: Guider,
    solver: Solver,
    schedule: Schedule,
    noise: Noise,
    latent: Latent,
    text_encoder: TextEncoder,
    text: Multiline = "",
    word: str = "",
    begin: Annotated[float, Range(0, 1, 0.01)] = 0.0,
    end: Annotated[float, Range(0, 1, 0.01)] = 1.0,
) -> Watched:
    """Sample, and show where in the picture the model looked at a word of the prompt.

    `text` is the prompt of the guider's positive conditioning and `word` a part of it. The map is
    the attention of the picture's tokens to those of the word, the mean over layers and over the
    steps from `begin` to `end`, scaled so that its highest point is 1 in each picture. Looking on
    does not change the picture.

    Example: text="a red circle and a blue square", word="red circle": the map is bright where the
    circle is; through inpaint_mask it keeps all but the circle.
    """
    with explained():
        made, map_ = word_maps(
            ctx, guider, solver, schedule, noise, latent, text_encoder, text, word, (begin, end)
        )
    return Watched(made, Mask(map_))


@sample_with_map.facts
def _(
    p: Any, latent: Facts | None = None, guider: Facts | None = None, **others: Facts | None
) -> dict[str, Facts]:
    same_latent_space(latent, guider)
    known = latent or facts_of("Latent")
    factor = known.factor
    size = {
        name: getattr(known, name) * factor if factor and getattr(known, name) else None
        for name in ("width", "height")
    }
    return {
        "latent": known.but(noise=None),
        "map": facts_of("Mask", count=known.count, **size),
    }


@sample_with_map.peak
def _(
    p: Any,
    guider: Facts | None,
    solver: Facts | None,
    schedule: Facts | None,
    latent: Facts | None,
    **others: Facts | None,
) -> Peak:
    return guided(guider, latent, schedule, solver)
