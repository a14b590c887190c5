"""Nodes that let a model work on less."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from backend.models.agree import runs_in_steps
from backend.models.explain import explained
from backend.models.keys_file import TunedFor, tuned_for
from backend.models.lora.adapter import identity
from backend.models.pipelines.reference import refuse_whole
from backend.sdk import (
    Context,
    Facts,
    FilePath,
    Model,
    Range,
    ScalarList,
    UserError,
    facts_of,
    node,
)
from backend.values import Params, Patch


@node(
    category="Model/Patches",
    aliases=("kv compression", "token compression", "pixart-sigma", "faster attention"),
)
def compress_keys(
    ctx: Context,
    model: Model,
    ratio: Literal["1", "2", "4", "8"] = "2",
    file: FilePath = "",
    layers: ScalarList = (),
    begin: Annotated[float, Range(0, 1, 0.01)] = 0.0,
    end: Annotated[float, Range(0, 1, 0.01)] = 1.0,
) -> Model:
    """Let deep layers look at one token for each square of a large picture.

    Each square of `ratio` x `ratio` image tokens is seen as one, so these attentions cost `ratio`
    x `ratio` times less; it pays for sizes of 2048 pixels and more. `file` is what
    `python -m backend.train keys` tuned for the model, and says which layers; without it squares
    are seen as their mean, which costs fine detail, and small models much more than that. `layers`
    names attentions, counted from 0; none means the deeper half. `begin` and `end` keep it to a
    part of the steps, as fractions. A ratio of 1 changes nothing. Follows PixArt-Sigma
    (arXiv:2403.04692).

    Example: load_model (PixArt-Sigma) -> compress_keys(ratio=2, end=0.6) -> sample with an
    empty_latent of 2048x2048.
    """
    numbers = tuple(layers)
    path = ctx.read(file) if file else None
    with explained():
        refuse_whole(model)
        if path is not None:
            found = _suited(path, model.family, int(ratio))
            numbers = numbers or found.layers
    if ratio == "1":
        return model
    params: Params = {"ratio": int(ratio), "layers": numbers, "begin": begin, "end": end}
    source = (identity(path), str(path)) if path else ()
    return model.with_(Patch("compressed_keys", 1.0, params, *source))


def _suited(path: Path, family: str, ratio: int) -> TunedFor:
    """What a file was tuned for, which must be this family and ratio (any file suits 1)."""
    found = tuned_for(path)
    if family != found.family:
        raise UserError(
            f"{path.name} was tuned for a model of the family {found.family}, and this one is of "
            f"the family {family}. Choose a file for this model."
        )
    if ratio not in (1, found.ratio):
        raise UserError(
            f"{path.name} was tuned for a ratio of {found.ratio}, not {ratio}. Set ratio to "
            f"{found.ratio}."
        )
    return found


@compress_keys.facts
def _(p: Any, model: Facts | None) -> Facts:
    runs_in_steps(model)
    if model is not None and model.family and p.file:
        with explained():
            _suited(p.lookup.file(p.file), model.family, int(p.ratio))
    return model or facts_of("Model")
