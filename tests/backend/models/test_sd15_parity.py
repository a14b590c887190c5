"""Stable Diffusion 1 and 2 against diffusers' pipelines: the same latents in and out."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.stable_diffusion import (
    StableDiffusionImg2ImgPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
)
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_pndm import PNDMScheduler

from backend.models import sd15
from backend.models.family import describe
from tests.backend.models import tiny_sd15
from tests.backend.models.battery import Case, PictureParity, Variant
from tests.backend.models.mistakes import (
    ONE_TIME_OFF,
    clip_layer,
    clip_normed,
    read_as,
    scaled,
)
from tests.backend.models.parity import (
    MARGIN,
    NEGATIVE,
    PROMPTS,
    TOLERANCE,
    Weft,
    coverage,
    difference,
    injected,
    mask_image,
    picture,
    pixels,
    with_hole,
)

TRAINED = PNDMScheduler(**tiny_sd15.TRAINED, timestep_spacing="leading").config
DPM = DPMSolverMultistepScheduler.from_config(TRAINED)


def write(folder: Path, **changes: Any) -> Path:
    """A model with Euler's scheduler: the pipelines begin one step early with PNDM's where a
    picture is changed, since they count its first step twice."""
    scheduler = EulerDiscreteScheduler.from_config(TRAINED)
    return tiny_sd15.write(folder, scheduler=scheduler, **changes)


class TestStableDiffusion(PictureParity):
    case = Case(
        write,
        StableDiffusionPipeline,
        StableDiffusionImg2ImgPipeline,
        StableDiffusionInpaintPipeline,
        picture_sized=False,
        weft={"steps": 5},
        variants={
            "dpm++": Variant(partial(tiny_sd15.write, scheduler=DPM), weft={"solver": "dpmpp_2m"}),
            "version 2, which predicts v": Variant(tiny_sd15.write_v),
        },
        mistakes={
            "states not normed": clip_normed(False),
            "a layer too early": clip_layer(1),
            "the time before": ONE_TIME_OFF,
            "no steps offset": read_as(sd15, "process_of", steps_offset=0),
            "trailing instead of leading": read_as(sd15, "process_of", timestep_spacing="trailing"),
            "v taken for noise": read_as(sd15, "process_of", prediction_type="v_prediction"),
        },
        picture_mistakes={"another scale": scaled(0.13025)},
    )

    @pytest.fixture(scope="class")
    @classmethod
    def published(cls, tmp_path_factory: pytest.TempPathFactory) -> Weft:
        """A model as it comes, with PNDM's scheduler."""
        return cls.ours(tiny_sd15.write(tmp_path_factory.mktemp("pndm")), solver="pndm")

    @pytest.mark.parametrize("to_one", [False, True])
    def test_the_published_scheduler_equals_the_pipeline(
        self, to_one: bool, published: Weft, tmp_path: Path
    ) -> None:
        """PLMS, and an end at the first trained level unless the settings say otherwise."""
        settings = {**tiny_sd15.TRAINED, "set_alpha_to_one": to_one}
        path = tiny_sd15.write(tmp_path, scheduler=PNDMScheduler(**settings))
        ours = self.ours(path, solver="pndm")
        theirs = self.latents(self.made(self.pipeline(StableDiffusionPipeline, path), ours))
        assert describe(ours.refs.model).defaults.solver == "pndm"
        assert difference(ours.run(ours.empty()), theirs) < TOLERANCE
        other = published if to_one else replace(ours, solver="euler")
        assert difference(other.run(other.empty()), theirs) > MARGIN * TOLERANCE

    def test_what_is_kept_of_a_picture_stays_clean_where_noise_is_left(
        self, published: Weft
    ) -> None:
        latent = published.masked()
        assert latent.mask is not None
        found = published.result(latent, start=0.4)
        kept = np.broadcast_to(latent.mask[:, None] == 0, latent.samples.shape)
        assert found.sigma == 0
        assert kept.any()
        assert np.array_equal(found.samples[kept], latent.samples[kept])

    @pytest.mark.parametrize("strength", [1.0, 0.6])
    def test_an_in_paint_model_equals_the_pipeline(self, strength: float, tmp_path: Path) -> None:
        plain = self.ours(write(tmp_path, in_channels=9))
        pipe = self.pipeline(StableDiffusionInpaintPipeline, tmp_path)
        given = {"image": pixels(), "mask_image": mask_image(), "strength": strength}
        with injected(StableDiffusionInpaintPipeline):
            theirs = self.latents(pipe(**self.told(pipe, plain), **given))
        start = plain.empty() if strength == 1 else plain.encode(picture(), seed=11)

        def ours(seed: int, mask: Any) -> torch.Tensor:
            return plain.run(start, 12, 1 - strength, shown=with_hole(plain, mask, seed))

        assert difference(ours(11, coverage()), theirs) < TOLERANCE
        for wrong in ((11, 1 - coverage()), (10, coverage())):
            assert difference(ours(*wrong), theirs) > MARGIN * TOLERANCE

    def test_text_encoding_equals_the_pipeline(self, weft: Weft, pipe: Any) -> None:
        with torch.no_grad():
            positive, negative = pipe.encode_prompt(PROMPTS, "cpu", 1, True, NEGATIVE)
        for texts, expected in ((PROMPTS, positive), (NEGATIVE, negative)):
            ours = weft.text(texts).tensors["sequence"]
            assert difference(torch.from_numpy(ours.copy()), expected) < TOLERANCE

    def test_a_skipped_layer_is_left_out_before_the_norm(self, weft: Weft, pipe: Any) -> None:
        net = pipe.text_encoder
        ids = pipe.tokenizer(
            PROMPTS, padding="max_length", max_length=24, truncation=True, return_tensors="pt"
        ).input_ids
        with torch.no_grad():
            x = net.embeddings(ids)
            mask = torch.full((24, 24), float("-inf")).triu(1)[None, None]
            for layer in net.encoder.layers[:-1]:
                x = layer(x, mask)
            expected = net.final_layer_norm(x)
        ours = weft.text(PROMPTS, clip_skip=1).tensors["sequence"]
        assert difference(torch.from_numpy(ours.copy()), expected) < TOLERANCE
