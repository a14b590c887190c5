"""Flux against diffusers' pipelines: the same latents in, the same latents out."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from diffusers.pipelines.flux import FluxImg2ImgPipeline, FluxInpaintPipeline, FluxPipeline

from backend.diffusion import sample
from backend.diffusion.shift import Shift
from backend.models import flux
from tests.backend.models import tiny
from tests.backend.models.battery import Case, PictureParity, Variant
from tests.backend.models.mistakes import altered, even_grid, instead, prepared, scaled
from tests.backend.models.packed import PATCH_ORDER, SIDES_SWAPPED, Packed
from tests.backend.models.parity import NEGATIVE, PROMPTS, TOLERANCE, Weft, difference


def embedded(guidance: float) -> dict[str, Any]:
    """The guidance that a distilled model is told, in both texts."""
    return {"options": {role: {"guidance": guidance} for role in ("positive", "negative")}}


def _late_end(right: Any) -> Any:
    return lambda *given: [*right(*given)[:-1], 0.02]


def _one_length(right: Any) -> Any:
    return lambda tokenizer, texts, length, net: right(tokenizer, texts, 12, net)


class TestFlux(Packed, PictureParity):
    case = Case(
        tiny.write,
        FluxPipeline,
        FluxImg2ImgPipeline,
        FluxInpaintPipeline,
        told={"max_sequence_length": tiny.TOKENS, "guidance_scale": 3.5},
        scale=lambda cfg: {"true_cfg_scale": cfg},
        weft=embedded(3.5),
        variants={
            "no embedded guidance and a static shift": Variant(
                partial(tiny.write, guidance=False, use_dynamic_shifting=False, shift=2.0)
            )
        },
        mistakes={
            "image positions with rows and columns swapped": SIDES_SWAPPED,
            "no pooled text": prepared(
                flux.FluxDenoiser, lambda r: {"pooled_projections": r["pooled_projections"] * 0}
            ),
            "static instead of dynamic shift": instead(
                flux, "flow_shift", lambda _: lambda settings: Shift("static", 3.0)
            ),
            "last level not 0": instead(sample, "sigmas", _late_end),
            "levels down to 0.001 instead of 1/steps": altered(
                flux, "Process", grid=even_grid(0.001)
            ),
            "patches read in the other order": PATCH_ORDER,
            "texts cut at half the length": instead(flux, "token_ids", _one_length),
        },
        changed={"another embedded guidance": embedded(4.5)},
        picture_mistakes={"unscaled": scaled(1.0, 0.15), "unshifted": scaled(0.7)},
    )

    def test_text_encoding_equals_the_pipeline(self, weft: Weft, pipe: Any) -> None:
        with torch.no_grad():
            sequence, pooled, _ = pipe.encode_prompt(PROMPTS, max_sequence_length=tiny.TOKENS)
        ours = weft.text(PROMPTS).tensors
        assert difference(torch.from_numpy(ours["sequence"].copy()), sequence) < TOLERANCE
        assert difference(torch.from_numpy(ours["pooled"].copy()), pooled) < TOLERANCE

    def test_one_text_serves_a_whole_batch(self, weft: Weft) -> None:
        one = weft.run(weft.empty(), prompts=PROMPTS[:1], negative=NEGATIVE[:1])
        same = weft.run(weft.empty(), prompts=PROMPTS[:1] * 2, negative=NEGATIVE[:1] * 2)
        assert torch.equal(one, same)
