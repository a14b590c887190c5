"""What nodes that compute with models need of the device: their ``peak`` hooks in common. Light."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from backend.catalog.folder import ModelFolder
from backend.diffusion.guide import guidance_kinds
from backend.diffusion.solver import solver_kinds
from backend.graph.prompts import read_prompt
from backend.models.card import ModelFacts
from backend.models.encode import MAX_CHUNKS
from backend.models.tiling.tiles import Coding, Tiling
from backend.sdk import Facts, Peak

TOKENS = 512
"""Tokens of a text where the model does not say how many it reads."""


def branches_of(kind: str | None, terms: int) -> int | None:
    """Predictions in one batch of a guidance of ``terms`` terms; ``None``: the kind is unknown."""
    found = guidance_kinds().get(kind or "")
    return found.branches(terms) if found else None


def calls_of(solver: str | None, steps: int) -> int:
    """How often a solver asks the model in so many steps, the last of which goes to level 0."""
    kind = solver_kinds().get(solver or "")
    calls, last = (kind.calls, kind.last) if kind else (1, 1)
    return max((steps - 1) * calls + last, 0)


def sampling(
    name: str, known: Facts | None, latent: Facts | None, branches: int | None, calls: int | None
) -> Peak:
    """The peak of a sampling run with the weights at the input ``name``.

    ``known`` are the facts of that model or guider. What cannot be told counts as one pass.
    """
    uses = ((name, max(calls, 0) if calls is not None else 1),)
    if known is None or latent is None or not known.token_bytes or branches is None:
        return Peak(None, uses)
    if not latent.width or not latent.height:
        return Peak(None, uses)
    patch = known.patch or 1
    cells = (latent.width // patch) * (latent.height // patch) * (latent.frames or 1)
    return Peak(known.token_bytes * cells * (latent.count or 1) * branches, uses)


def in_turn(*parts: Peak) -> Peak:
    """The peak of several parts of one call, each after the one before it."""
    known = [part.activation for part in parts if part.activation is not None]
    most = max(known) if known and len(known) == len(parts) else None
    return Peak(most, tuple(use for part in parts for use in part.uses))


def guided(
    guider: Facts | None,
    latent: Facts | None,
    schedule: Facts | None,
    solver: Facts | None = None,
) -> Peak:
    """The peak of a run with the guider at ``guider``, by Euler's steps where no solver is told."""
    taken: int | None = schedule.taken if schedule is not None else None
    branches: int | None = guider.branches if guider is not None else None
    kind: str | None = solver.kind if solver is not None else None
    calls = None if taken is None else calls_of(kind, taken)
    return sampling("guider", guider, latent, branches, calls)


def coding(
    vae: Facts | None,
    width: int | None,
    height: int | None,
    count: int | None,
    tile: int | None = 0,
    overlap: int | None = 0,
    half: Literal["encoder", "decoder"] = "encoder",
) -> Peak:
    """The peak of sending ``count`` pictures, one after the other, through one half of the VAE at
    ``vae``; in tiles each is a pass of its own."""
    pictures, name = max(count or 1, 1), f"vae.{half}"
    if vae is None or not vae.pixel_bytes or not width or not height:
        return Peak(None, ((name, pictures),))
    tiling = _tiling(vae, width, height, tile or 0, overlap or 0)
    if tiling is None:
        return Peak(vae.pixel_bytes * width * height, ((name, pictures),))
    factor = vae.factor or 1
    tiles = len(tiling.places(height // factor, width // factor))
    side = tiling.size * factor
    area = min(side, width) * min(side, height)
    return Peak(vae.pixel_bytes * area, ((name, pictures * tiles),))


def _tiling(vae: Facts, width: int, height: int, tile: int, overlap: int) -> Tiling | None:
    factor = vae.factor or 1
    return Coding(tile, overlap).tiling(height // factor, width // factor, factor)


def encoding(encoder: Facts | None, text: str | None, weighted: bool) -> Peak:
    """The peak of encoding one text with the encoders at ``text_encoder``: once for each of its
    chunks at each of its phases, and where parts of it have weights for an empty text too."""
    passes = 1
    if text and weighted:
        phases = read_prompt(text).phases()
        chunks = [chunk for _, row in phases for chunk in row]
        passes = sum(2 if chunk.spans else 1 for chunk in chunks[: MAX_CHUNKS * len(phases)])
    return Peak(encoder.text_bytes if encoder else None, (("text_encoder", max(passes, 1)),))


def text_bytes(folder: ModelFolder, parts: Sequence[str], facts: ModelFacts) -> int | None:
    """Bytes that encoding one text needs beside weights, in float32: those of the largest encoder.

    ``4 n (4 w + 3 f) + 8 h n^2`` for ``n`` tokens, hidden width ``w``, ``f`` channels between and
    ``h`` heads: the states of a layer, and its attention scores before and after the softmax. Where
    attention keeps no scores it is less.
    """
    tokens = int(facts.settings.get("max_tokens") or TOKENS)
    configs = (folder.components[part].config for part in parts if part in folder.components)
    return max((_one_text(config, tokens) for config in configs), default=0) or None


def told_bytes(folder: ModelFolder, parts: Sequence[str], facts: ModelFacts) -> int:
    """Bytes of the conditioning of one text, at most: what every encoder says of every token."""
    tokens = int(facts.settings.get("max_tokens") or TOKENS)
    configs = (folder.components[part].config for part in parts if part in folder.components)
    return sum(4 * tokens * _width(_of_text(config)) for config in configs)


def _of_text(config: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = config.get("text_config")
    return inner if isinstance(inner, Mapping) else config


def _width(config: Mapping[str, Any]) -> int:
    return _whole(config, "hidden_size", "d_model")


def _one_text(config: Mapping[str, Any], tokens: int) -> int:
    config = _of_text(config)
    width = _width(config)
    between = _whole(config, "intermediate_size", "d_ff") or 4 * width
    heads = _whole(config, "num_attention_heads", "num_heads")
    return 4 * tokens * (4 * width + 3 * between) + 8 * heads * tokens * tokens if width else 0


def _whole(config: Mapping[str, Any], *names: str) -> int:
    found = (config.get(name) for name in names)
    return next((n for n in found if isinstance(n, int) and not isinstance(n, bool)), 0)
