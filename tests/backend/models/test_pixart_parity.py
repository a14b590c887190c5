"""PixArt against diffusers' pipelines: the same latents in, the same latents out.

There are no pipelines from pictures for it, so these runs are compared with diffusers' scheduler
and transformer, called in the order in which the pipelines of other models call theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.pixart_alpha import PixArtAlphaPipeline, PixArtSigmaPipeline
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler

from backend.diffusion.noise import gaussian, sample_seed
from backend.models import kl, pixart
from backend.models.codec import Scaling
from backend.models.noise_table import NoiseTable
from tests.backend.models import tiny_pixart, tiny_sdxl
from tests.backend.models.parity import (
    MARGIN,
    NEGATIVE,
    PROMPTS,
    TOLERANCE,
    difference,
    picture,
    pipeline,
)
from tests.backend.models.unet_runs import COMMON, SIZED, STEPS, UnetRuns

SAID: dict[str, Any] = {
    **SIZED,
    "use_resolution_binning": False,
    "max_sequence_length": tiny_pixart.TOKENS,
}
SOLVER = "dpmpp_2m"
Record = Callable[[str, object], None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_pixart.write(tmp_path_factory.mktemp("pixart"))


@pytest.fixture(scope="module")
def pipe(folder: Path) -> Any:
    return pipeline(PixArtSigmaPipeline, folder)


@pytest.fixture(scope="module")
def weft(folder: Path) -> UnetRuns:
    return UnetRuns.of(folder)


@pytest.fixture(scope="module")
def text_to_image(weft: UnetRuns, pipe: Any) -> torch.Tensor:
    result: torch.Tensor = pipe(**SAID, latents=weft.noise()).images
    return result


def run(weft: UnetRuns, seed: int = 3, **settings: Any) -> torch.Tensor:
    return weft.latents(weft.empty(), seed=seed, solver=SOLVER, **settings)


def from_picture(pipe: Any, latent: torch.Tensor, strength: float, mask: Any = None) -> Any:
    """Part of a run on a picture's latent, kept where the mask is 0."""
    noise = gaussian(12, latent.shape)
    with torch.no_grad():
        said, seen, unsaid, unseen = pipe.encode_prompt(
            PROMPTS, negative_prompt=NEGATIVE, max_sequence_length=tiny_pixart.TOKENS
        )
        texts, masks = torch.cat([unsaid, said]), torch.cat([unseen, seen])
        pipe.scheduler.set_timesteps(STEPS)
        first = STEPS - int(STEPS * strength)
        pipe.scheduler.set_begin_index(first)
        times = pipe.scheduler.timesteps[first:]
        x = pipe.scheduler.add_noise(latent, noise, times[:1])
        for index, time in enumerate(times):
            out = pipe.transformer(
                torch.cat([x] * 2),
                encoder_hidden_states=texts,
                encoder_attention_mask=masks,
                timestep=time.expand(4),
                return_dict=False,
            )[0]
            without, with_text = out.chunk(2, 1)[0].chunk(2)
            guided = without + COMMON["guidance_scale"] * (with_text - without)
            x = pipe.scheduler.step(guided, time, x, return_dict=False)[0]
            if mask is not None:
                kept = latent
                if index + 1 < len(times):
                    kept = pipe.scheduler.add_noise(latent, noise, times[index + 1 : index + 2])
                x = (1 - mask) * kept + mask * x
    return x


def test_text_to_image_equals_the_pipeline(
    weft: UnetRuns, text_to_image: torch.Tensor, record_property: Record
) -> None:
    found = difference(run(weft), text_to_image)
    record_property("difference", found)
    assert found < TOLERANCE


def test_image_to_image_equals_the_models_own_parts(
    weft: UnetRuns, pipe: Any, record_property: Record
) -> None:
    latent = weft.encode(picture(), seed=11)
    theirs = from_picture(pipe, torch.from_numpy(latent.samples.copy()), 0.6)
    found = difference(weft.latents(latent, seed=12, solver=SOLVER, start=1 - 0.6), theirs)
    record_property("difference", found)
    assert found < TOLERANCE


def test_in_paint_equals_the_models_own_parts(
    weft: UnetRuns, pipe: Any, record_property: Record
) -> None:
    latent = weft.masked()
    assert latent.mask is not None
    mask = torch.from_numpy(latent.mask.copy())[:, None]
    theirs = from_picture(pipe, torch.from_numpy(latent.samples.copy()), 0.8, mask)

    def ours(given: Any) -> torch.Tensor:
        return weft.latents(given, seed=12, solver=SOLVER, start=1 - 0.8)

    found = difference(ours(latent), theirs)
    record_property("difference", found)
    assert found < TOLERANCE
    for wrong in (1 - latent.mask, np.ones_like(latent.mask), np.roll(latent.mask, 1, axis=2)):
        assert difference(ours(latent.but(mask=wrong)), theirs) > MARGIN * TOLERANCE


def test_alpha_equals_its_pipeline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Record
) -> None:
    path = tiny_pixart.write(tmp_path, alpha=True)
    ours = UnetRuns.of(path)
    theirs = pipeline(PixArtAlphaPipeline, path)(**SAID, latents=ours.noise()).images
    found = difference(run(ours), theirs)
    record_property("difference", found)
    assert found < TOLERANCE
    right = pixart.PixArtDenoiser._size
    for wrong in ("resolution", "aspect_ratio"):

        def other(self: Any, x: Any, name: str = wrong) -> Any:
            told = right(self, x)
            return {**told, name: told[name] * 2}

        monkeypatch.setattr(pixart.PixArtDenoiser, "_size", other)
        assert difference(run(ours), theirs) > MARGIN * TOLERANCE


SCHEDULERS: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "euler": (EulerDiscreteScheduler, "euler", {}),
    "ddim": (DDIMScheduler, "euler", {"clip_sample": False}),
    "dpm++, karras": (DPMSolverMultistepScheduler, SOLVER, {"use_karras_sigmas": True}),
    "dpm++, trailing": (DPMSolverMultistepScheduler, SOLVER, {"timestep_spacing": "trailing"}),
}


@pytest.mark.parametrize("name", SCHEDULERS)
def test_the_schedulers_settings_are_followed(
    name: str, pipe: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, solver, settings = SCHEDULERS[name]
    scheduler = kind(**{**tiny_pixart.TRAINED, **settings})
    ours = UnetRuns.of(tiny_sdxl.with_scheduler(folder, tmp_path / "model", scheduler))
    monkeypatch.setattr(pipe, "scheduler", scheduler)
    theirs = pipe(**SAID, latents=ours.noise()).images
    assert difference(ours.latents(ours.empty(), solver=solver), theirs) < TOLERANCE


def test_text_encoding_equals_the_pipeline(weft: UnetRuns, pipe: Any) -> None:
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


def test_decoding_equals_the_pipeline(
    weft: UnetRuns, pipe: Any, text_to_image: torch.Tensor
) -> None:
    theirs = pipe(**{**SAID, "output_type": "np"}, latents=weft.noise()).images
    assert difference(weft.decode(text_to_image), torch.from_numpy(theirs)) < TOLERANCE


def test_a_batch_equals_its_samples_alone(weft: UnetRuns, text_to_image: torch.Tensor) -> None:
    for index in range(2):
        one = slice(index, index + 1)
        alone = weft.latents(
            weft.empty(1),
            seed=sample_seed(3, index),
            solver=SOLVER,
            prompts=PROMPTS[one],
            negative=NEGATIVE[one],
        )
        assert difference(alone, text_to_image[one]) < TOLERANCE


Break = Callable[[pytest.MonkeyPatch], None]


def _no_mask(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pixart, "compact", lambda sequence, mask: (sequence, mask * 0 + 1))


def _unmasked_encoder(patch: pytest.MonkeyPatch) -> None:
    right = pixart.tokenise

    def whole(*given: Any) -> Any:
        ids, mask = right(*given)
        return ids, mask * 0 + 1

    patch.setattr(pixart, "tokenise", whole)


def _variance(patch: pytest.MonkeyPatch) -> None:
    """The other half of the channels taken for the noise."""
    right = pixart.PixArtDenoiser.__init__

    def init(self: Any, net: Any, *rest: Any) -> None:
        right(self, _Rolled(net), *rest)

    patch.setattr(pixart.PixArtDenoiser, "__init__", init)


class _Rolled:
    def __init__(self, net: Any) -> None:
        self._net, self.dtype = net, net.dtype

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return (self._net(*args, **kwargs)[0].roll(4, 1),)


def _one_time_off(patch: pytest.MonkeyPatch) -> None:
    right = NoiseTable.time
    patch.setattr(NoiseTable, "time", lambda self, sigma: right(self, sigma) - 1)


def _other_curve(patch: pytest.MonkeyPatch) -> None:
    wrong = {"beta_schedule": "scaled_linear"}
    for name in ("process_of", "noise_table"):
        right = getattr(pixart, name)
        patch.setattr(pixart, name, lambda settings, r=right: r({**settings, **wrong}))


MISTAKES: dict[str, Break] = {
    "no mask": _no_mask,
    "padding seen by T5": _unmasked_encoder,
    "the variance for the noise": _variance,
    "the time before": _one_time_off,
    "betas of another curve": _other_curve,
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_far_off(
    name: str, weft: UnetRuns, text_to_image: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    MISTAKES[name](monkeypatch)
    assert difference(run(weft), text_to_image) > MARGIN * TOLERANCE


@pytest.mark.parametrize("changed", [{"cfg": 3.3}, {"prompts": PROMPTS[::-1]}, {"seed": 4}])
def test_wrong_settings_are_far_off(
    changed: dict[str, Any], weft: UnetRuns, text_to_image: torch.Tensor
) -> None:
    assert difference(run(weft, **changed), text_to_image) > MARGIN * TOLERANCE


def test_an_unscaled_vae_is_far_off(weft: UnetRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    def ours() -> torch.Tensor:
        return weft.latents(weft.encode(picture(), seed=11), seed=12, solver=SOLVER, start=0.4)

    right = ours()
    monkeypatch.setattr(kl, "scaling_of", lambda config: Scaling(0.18215))
    assert difference(ours(), right) > MARGIN * TOLERANCE
