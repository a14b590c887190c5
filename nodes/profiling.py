"""Nodes that tell where the time and the memory of a model go."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from backend.models.agree import runs_in_steps, same_latent_space, same_text_space
from backend.models.costs import branches_of, sampling
from backend.models.explain import explained
from backend.models.family import describe
from backend.sdk import (
    Conditioning,
    Context,
    Facts,
    Guider,
    Image,
    Latent,
    Model,
    Peak,
    Range,
    facts_of,
    node,
)
from nodes.conditioning import pair


class Profiled(NamedTuple):
    """A table as text, and the same as a picture."""

    table: str
    plot: Image


@node(
    category="Model",
    lane="device",
    aliases=("profiler", "flops", "roofline", "benchmark", "how fast", "operators"),
)
def profile_model(
    ctx: Context,
    model: Model,
    positive: Conditioning,
    latent: Latent,
    negative: Conditioning | None = None,
    cfg: Annotated[float, Range(0, 30, 0.1)] = 2.0,
    steps: Annotated[int, Range(1, 8, 1)] = 1,
    repeats: Annotated[int, Range(1, 50, 1)] = 5,
) -> Profiled:
    """Tell the time and memory of a model's step by kind of operator (Generative AI Beyond LLMs).

    The kinds are convolution, linear, attention (of tokens to themselves, to a text, or of text and
    picture together, as the model has them), norm and other. For each: the number of calls, the
    milliseconds and their share of the step, operations (GFLOP), megabytes read and written, made
    anew and held beside the weights at most, and how near it comes to the least time that this
    device could take (`roof`; above 100 % what is read still lies in a cache). Sequence lengths
    stand below.

    `latent` says the size only, and with `negative` both texts go through the model, as in sampling
    with `cfg`. `steps` are taken evenly from the model's own schedule. Every step is called
    `3 * repeats + 2` times; the quickest calls count, so that other programs disturb little.

    Example: load_model -> encode_text, empty_latent (512x512) -> profile_model -> save the plot.
    """
    from backend.models.profiling.measure import profile
    from backend.models.profiling.picture import picture
    from backend.models.profiling.report import text

    with explained():
        own = describe(model).defaults
        terms, kind = pair(positive, negative, own.guider)
        guider = Guider(kind, {} if kind == "none" else {"cfg": cfg}, model, terms)
        found = profile(ctx, guider, latent, steps, repeats)
    return Profiled(text(found), picture(found))


@profile_model.facts
def _(
    p: Any,
    model: Facts | None,
    positive: Facts | None,
    latent: Facts | None,
    negative: Facts | None = None,
) -> dict[str, Facts]:
    runs_in_steps(model)
    same_latent_space(latent, model)
    same_text_space(model, (positive, negative))
    plot = facts_of("Image", width=1200, height=560, channels=3, count=1)
    return {"table": facts_of("Text"), "plot": plot}


@profile_model.peak
def _(
    p: Any,
    model: Facts | None,
    positive: Facts | None,
    latent: Facts | None,
    negative: Facts | None = None,
) -> Peak:
    own = model or facts_of("Model")
    branches = 1 if negative is None or p.cfg == 1 else branches_of(own.own_guider, 2)
    calls = None if None in (p.steps, p.repeats) else p.steps * (3 * p.repeats + 2)
    return sampling("model", model, latent, branches, calls)
