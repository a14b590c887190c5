"""PixArt against diffusers' pipelines: the same latents in, the same latents out.

There are no pipelines from pictures for it, so these runs are compared with diffusers' scheduler
and transformer, called in the order in which the pipelines of other models call theirs.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.pipelines.pixart_alpha import PixArtAlphaPipeline, PixArtSigmaPipeline
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler

from backend.diffusion.noise import gaussian
from backend.models import pixart
from backend.models.pixart import PixArtDenoiser
from tests.backend.models import tiny_pixart
from tests.backend.models.battery import PAINTED, STRENGTH, Case, PictureParity, Variant
from tests.backend.models.mistakes import (
    ONE_TIME_OFF,
    fill_read,
    instead,
    padding_seen,
    read_as,
    scaled,
)
from tests.backend.models.parity import (
    CFG,
    MARGIN,
    NEGATIVE,
    PROMPTS,
    TOLERANCE,
    Weft,
    difference,
    picture,
)

STEPS = 5


def scheduled(kind: Any, solver: str = "dpmpp_2m", **settings: Any) -> Variant:
    """A model with another scheduler, and the solver that does the same."""
    scheduler = kind(**{**tiny_pixart.TRAINED, **settings})
    return Variant(partial(tiny_pixart.write, scheduler=scheduler), weft={"solver": solver})


class _Rolled:
    """A network that gives the variance for the noise."""

    def __init__(self, net: Any) -> None:
        self._net, self.named_parameters = net, net.named_parameters

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return (self._net(*args, **kwargs)[0].roll(4, 1),)


def _variance(right: Any) -> Any:
    return lambda self, net, *rest: right(self, _Rolled(net), *rest)


class TestPixArt(PictureParity):
    case = Case(
        tiny_pixart.write,
        PixArtSigmaPipeline,
        told={"use_resolution_binning": False, "max_sequence_length": tiny_pixart.TOKENS},
        weft={"steps": STEPS, "solver": "dpmpp_2m"},
        variants={
            "euler": scheduled(EulerDiscreteScheduler, "euler"),
            "ddim": scheduled(DDIMScheduler, "euler", clip_sample=False),
            "dpm++, karras": scheduled(DPMSolverMultistepScheduler, use_karras_sigmas=True),
            "dpm++, trailing": scheduled(DPMSolverMultistepScheduler, timestep_spacing="trailing"),
        },
        mistakes={
            "no mask": fill_read(pixart),
            "padding seen by T5": padding_seen(pixart),
            "the variance for the noise": instead(PixArtDenoiser, "__init__", _variance),
            "the time before": ONE_TIME_OFF,
            "betas of another curve": read_as(
                pixart, "process_of", "noise_table", beta_schedule="scaled_linear"
            ),
        },
        picture_mistakes={"another scale": scaled(0.18215)},
    )

    @pytest.fixture(scope="class")
    @classmethod
    def image_to_image(cls, pipe: Any, weft: Weft) -> torch.Tensor:
        latent = weft.encode(picture(), seed=11)
        return cls.from_latent(pipe, torch.from_numpy(latent.samples.copy()), STRENGTH)

    @pytest.fixture(scope="class")
    @classmethod
    def in_paint(cls, pipe: Any, weft: Weft) -> torch.Tensor:
        latent = weft.masked()
        assert latent.mask is not None
        mask = torch.from_numpy(latent.mask.copy())[:, None]
        return cls.from_latent(pipe, torch.from_numpy(latent.samples.copy()), PAINTED, mask)

    @classmethod
    @torch.no_grad()
    def from_latent(cls, pipe: Any, latent: torch.Tensor, part: float, mask: Any = None) -> Any:
        """The last ``part`` of a run on a picture's latent, kept where the mask is 0."""
        noise = gaussian(12, latent.shape)
        said, seen, unsaid, unseen = pipe.encode_prompt(
            PROMPTS, negative_prompt=NEGATIVE, max_sequence_length=tiny_pixart.TOKENS
        )
        pipe.scheduler.set_timesteps(STEPS)
        first = STEPS - int(STEPS * part)
        pipe.scheduler.set_begin_index(first)
        times = pipe.scheduler.timesteps[first:]
        x = pipe.scheduler.add_noise(latent, noise, times[:1])
        for index, time in enumerate(times):
            out = pipe.transformer(
                torch.cat([x] * 2),
                encoder_hidden_states=torch.cat([unsaid, said]),
                encoder_attention_mask=torch.cat([unseen, seen]),
                timestep=time.expand(4),
                return_dict=False,
            )[0]
            without, with_text = out.chunk(2, 1)[0].chunk(2)
            guided = without + CFG * (with_text - without)
            x = pipe.scheduler.step(guided, time, x, return_dict=False)[0]
            if mask is not None:
                kept = latent
                if index + 1 < len(times):
                    kept = pipe.scheduler.add_noise(latent, noise, times[index + 1 : index + 2])
                x = (1 - mask) * kept + mask * x
        return x

    def test_alpha_equals_its_pipeline(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ours = self.ours(tiny_pixart.write(tmp_path, alpha=True))
        pipe = self.pipeline(PixArtAlphaPipeline, tmp_path)
        theirs = self.latents(self.made(pipe, ours))
        assert difference(ours.run(ours.empty()), theirs) < TOLERANCE
        right = PixArtDenoiser._size
        for wrong in ("resolution", "aspect_ratio"):

            def other(self: Any, x: Any, name: str = wrong) -> Any:
                told = right(self, x)
                return {**told, name: told[name] * 2}

            monkeypatch.setattr(PixArtDenoiser, "_size", other)
            assert difference(ours.run(ours.empty()), theirs) > MARGIN * TOLERANCE

    def test_text_encoding_equals_the_pipeline(self, weft: Weft, pipe: Any) -> None:
        texts = [*PROMPTS, "  A Text With CAPITALS and spaces "]
        with torch.no_grad():
            theirs, mask, *_ = pipe.encode_prompt(
                texts, do_classifier_free_guidance=False, max_sequence_length=tiny_pixart.TOKENS
            )
        ours = weft.text(texts).tensors
        length = int(mask.sum(1).max())
        assert ours["mask"].tolist() == mask[:, :length].tolist()
        assert len(set(mask.sum(1).tolist())) == 3
        kept = torch.from_numpy(ours["sequence"].copy())
        assert difference(kept, (theirs * mask[..., None])[:, :length]) < TOLERANCE
