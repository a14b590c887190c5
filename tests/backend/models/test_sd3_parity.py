"""Stable Diffusion 3 against diffusers' pipelines: the same latents in, the same latents out."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.pipelines.stable_diffusion_3 import (
    StableDiffusion3Img2ImgPipeline,
    StableDiffusion3InpaintPipeline,
    StableDiffusion3Pipeline,
)

from backend.diffusion.shift import Shift
from backend.models import sd3
from backend.models.sd3 import Sd3Denoiser
from backend.values import Patch, Term
from tests.backend.models import parity, tiny_sd3
from tests.backend.models.battery import Case, PictureParity, Variant
from tests.backend.models.mistakes import altered, clip_layer, clip_normed, prepared, scaled
from tests.backend.models.parity import MARGIN, PROMPTS, TOLERANCE, Weft, difference
from tests.backend.models.tiny import TOKENS


def _no_t5(ready: dict[str, Any]) -> dict[str, Any]:
    sequence = ready["encoder_hidden_states"].clone()
    sequence[:, TOKENS:] = 0
    return {"encoder_hidden_states": sequence}


def _t5_alone(ready: dict[str, Any]) -> dict[str, Any]:
    return {"encoder_hidden_states": ready["encoder_hidden_states"][:, TOKENS:]}


def _clips_swapped(ready: dict[str, Any]) -> dict[str, Any]:
    return {"pooled_projections": ready["pooled_projections"].roll(32, 1)}


def write_first(folder: Path) -> Path:
    """A model of the first version."""
    net = tiny_sd3.transformer(dual_attention_layers=(), qk_norm=None)
    return tiny_sd3.write(folder, net=net)


class TestStableDiffusion3(PictureParity):
    case = Case(
        tiny_sd3.write,
        StableDiffusion3Pipeline,
        StableDiffusion3Img2ImgPipeline,
        StableDiffusion3InpaintPipeline,
        told={"max_sequence_length": TOKENS},
        variants={
            "the first version": Variant(write_first),
            "dynamic shift": Variant(partial(tiny_sd3.write, use_dynamic_shifting=True)),
            "beta schedule": Variant(partial(tiny_sd3.write, use_beta_sigmas=True)),
        },
        mistakes={
            "T5 left out": prepared(Sd3Denoiser, _no_t5),
            "CLIP's tokens left out": prepared(Sd3Denoiser, _t5_alone),
            "pooled vectors in the other order": prepared(Sd3Denoiser, _clips_swapped),
            "CLIP's last layer": clip_layer(-1),
            "CLIP's states normed": clip_normed(True),
            "no shift": altered(sd3, "flow_times", shift=Shift()),
            "levels down to the first trained step": altered(sd3, "flow_times", lowest=0.001),
            "time from 0 to 1": altered(sd3, "flow_times", top=1),
        },
        picture_mistakes={"unscaled": scaled(1.0, 0.0609), "unshifted": scaled(1.5305)},
    )

    def test_a_model_without_t5_equals_the_pipeline(
        self, tmp_path: Path, from_texts: torch.Tensor
    ) -> None:
        ours = self.ours(tiny_sd3.write(tmp_path, with_t5=False))
        none = {"text_encoder_3": None, "tokenizer_3": None}
        pipe = parity.pipeline(StableDiffusion3Pipeline, tmp_path, **none)
        theirs = self.latents(self.made(pipe, ours, max_sequence_length=sd3.MAX_TOKENS))
        assert difference(ours.run(ours.empty()), theirs) < TOLERANCE
        assert difference(theirs, from_texts) > MARGIN * TOLERANCE

    def test_skip_layer_guidance_equals_the_pipeline(
        self, weft: Weft, pipe: Any, from_texts: torch.Tensor
    ) -> None:
        told = {"skip": 2.8, "begin": 0.01, "end": 0.6}
        theirs = self.latents(
            self.made(
                pipe,
                weft,
                skip_guidance_layers=[0, 2],
                skip_layer_guidance_scale=told["skip"],
                skip_layer_guidance_start=told["begin"],
                skip_layer_guidance_stop=told["end"],
            )
        )
        positive, negative = weft.terms()
        patch = Patch("skip_blocks", 1.0, {"layers": (0, 2)})
        skipping = Term("skip", positive.conditioning, patches=(patch,))
        guided = replace(weft, guidance="skip_layer", params=told)
        ours = guided.result(weft.empty(), terms=(positive, negative, skipping))
        assert difference(torch.from_numpy(ours.samples.copy()), theirs) < TOLERANCE
        assert difference(theirs, from_texts) > MARGIN * TOLERANCE

    @pytest.mark.parametrize("skip", [0, 2])
    def test_text_encoding_equals_the_pipeline(self, skip: int, weft: Weft, pipe: Any) -> None:
        with torch.no_grad():
            theirs, _, pooled, _ = pipe.encode_prompt(
                PROMPTS, None, None, clip_skip=skip, max_sequence_length=TOKENS
            )
        ours = weft.text(PROMPTS, clip_skip=skip)
        denoiser: Any = weft.family.denoiser(weft.refs.model, weft.load, "cpu")
        ready = denoiser.prepare([ours], 2)
        assert difference(ready["encoder_hidden_states"], theirs) < TOLERANCE
        assert difference(ready["pooled_projections"], pooled) < TOLERANCE
