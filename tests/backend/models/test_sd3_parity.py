"""Stable Diffusion 3 against diffusers' pipelines: the same latents in, the same latents out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.stable_diffusion_3 import (
    pipeline_stable_diffusion_3,
    pipeline_stable_diffusion_3_img2img,
    pipeline_stable_diffusion_3_inpaint,
)

from backend.diffusion import sample
from backend.diffusion.noise import sample_seed
from backend.diffusion.shift import Shift
from backend.models import clip, kl, sd3
from backend.models.codec import Scaling
from backend.models.patch import Stage, surround
from backend.values import Guider, Noise, Patch, Schedule, Solver, Term
from tests.backend.models import tiny_sd3
from tests.backend.models.parity import (
    HEIGHT,
    MARGIN,
    NEGATIVE,
    PROMPTS,
    STEPS,
    TOLERANCE,
    WIDTH,
    Weft,
    difference,
    injected,
    mask_image,
    picture,
    pipeline,
    pixels,
)
from tests.backend.models.tiny import TOKENS

CFG = 3.0
COMMON: dict[str, Any] = {
    "prompt": PROMPTS,
    "negative_prompt": NEGATIVE,
    "guidance_scale": CFG,
    "width": WIDTH,
    "height": HEIGHT,
    "num_inference_steps": STEPS,
    "output_type": "latent",
    "max_sequence_length": TOKENS,
}
Pipeline = pipeline_stable_diffusion_3.StableDiffusion3Pipeline
ImageToImage = pipeline_stable_diffusion_3_img2img.StableDiffusion3Img2ImgPipeline
InPaint = pipeline_stable_diffusion_3_inpaint.StableDiffusion3InpaintPipeline
Record = Callable[[str, object], None]


@pytest.fixture(scope="module")
def folder(sd3_folder: Path) -> Path:
    return sd3_folder


@pytest.fixture(scope="module")
def weft(folder: Path) -> Weft:
    return Weft.of(folder)


@pytest.fixture(scope="module")
def pipe(folder: Path) -> Any:
    return pipeline(Pipeline, folder)


@pytest.fixture(scope="module")
def text_to_image(pipe: Any, weft: Weft) -> torch.Tensor:
    result: torch.Tensor = pipe(**COMMON, latents=weft.noise()).images
    return result


@pytest.fixture(scope="module")
def image_to_image(folder: Path) -> torch.Tensor:
    with injected(pipeline_stable_diffusion_3_img2img):
        result: torch.Tensor = pipeline(ImageToImage, folder)(
            **COMMON, image=pixels(), strength=0.6
        ).images
    return result


@pytest.fixture(scope="module")
def in_paint(folder: Path) -> torch.Tensor:
    with injected(pipeline_stable_diffusion_3_inpaint):
        result: torch.Tensor = pipeline(InPaint, folder)(
            **COMMON, image=pixels(), mask_image=mask_image(), strength=0.8
        ).images
    return result


def test_text_to_image_equals_the_pipeline(
    weft: Weft, text_to_image: torch.Tensor, record_property: Record
) -> None:
    found = difference(weft.run(weft.empty(), 3, CFG), text_to_image)
    record_property("difference", found)
    assert found < TOLERANCE


def test_image_to_image_equals_the_pipeline(
    weft: Weft, image_to_image: torch.Tensor, record_property: Record
) -> None:
    ours = weft.run(weft.encode(picture(), seed=11), 12, CFG, start=1 - 0.6)
    found = difference(ours, image_to_image)
    record_property("difference", found)
    assert found < TOLERANCE


def test_in_paint_equals_the_pipeline(
    weft: Weft, in_paint: torch.Tensor, record_property: Record
) -> None:
    found = difference(weft.run(weft.masked(), 12, CFG, start=1 - 0.8), in_paint)
    record_property("difference", found)
    assert found < TOLERANCE


def test_a_model_without_t5_equals_the_pipeline(
    tmp_path: Path, weft: Weft, text_to_image: torch.Tensor, record_property: Record
) -> None:
    path = tiny_sd3.write(tmp_path / "short", with_t5=False)
    ours = Weft.of(path)
    told = {**COMMON, "max_sequence_length": sd3.MAX_TOKENS}
    none = {"text_encoder_3": None, "tokenizer_3": None}
    theirs = pipeline(Pipeline, path, **none)(**told, latents=weft.noise()).images
    found = difference(ours.run(ours.empty(), 3, CFG), theirs)
    record_property("difference", found)
    assert found < TOLERANCE
    assert difference(theirs, text_to_image) > MARGIN * TOLERANCE


def test_the_first_version_equals_the_pipeline(tmp_path: Path, weft: Weft) -> None:
    net = tiny_sd3.transformer(dual_attention_layers=(), qk_norm=None)
    path = tiny_sd3.write(tmp_path / "first", net=net)
    ours = Weft.of(path)
    theirs = pipeline(Pipeline, path)(**COMMON, latents=weft.noise()).images
    assert difference(ours.run(ours.empty(), 3, CFG), theirs) < TOLERANCE


@pytest.mark.parametrize("settings", [{"use_dynamic_shifting": True}, {"use_beta_sigmas": True}])
def test_other_schedules(settings: dict[str, Any], tmp_path: Path) -> None:
    path = tiny_sd3.write(tmp_path / "other", **settings)
    ours = Weft.of(path)
    theirs = pipeline(Pipeline, path)(**COMMON, latents=ours.noise()).images
    assert difference(ours.run(ours.empty(), 3, CFG), theirs) < TOLERANCE


def test_skip_layer_guidance_equals_the_pipeline(
    weft: Weft, pipe: Any, text_to_image: torch.Tensor, record_property: Record
) -> None:
    told = {"skip": 2.8, "begin": 0.01, "end": 0.6}
    theirs = pipe(
        **COMMON,
        latents=weft.noise(),
        skip_guidance_layers=[0, 2],
        skip_layer_guidance_scale=told["skip"],
        skip_layer_guidance_start=told["begin"],
        skip_layer_guidance_stop=told["end"],
    ).images
    patch = Patch("skip_blocks", 1.0, {"layers": (0, 2)})
    positive, negative = (
        weft.family.encode_text(weft.refs.text, texts, {}, weft.load, "cpu")
        for texts in (PROMPTS, NEGATIVE)
    )
    terms = (
        Term("positive", positive),
        Term("negative", negative),
        Term("skip", positive, patches=(patch,)),
    )
    denoiser = weft.family.denoiser(weft.refs.model, weft.load, "cpu")
    stage = Stage(weft.refs.model, weft.family.card, weft.load, denoiser)
    ours = sample.sample(
        denoiser,
        Guider("skip_layer", {"cfg": CFG, **told}, weft.refs.model, terms),
        Solver("euler"),
        Schedule("native", steps=STEPS),
        Noise("gaussian", seed=3),
        weft.empty(),
        around=surround(stage, terms),
    )
    found = difference(torch.from_numpy(ours.samples.copy()), theirs)
    record_property("difference", found)
    assert found < TOLERANCE
    assert difference(theirs, text_to_image) > MARGIN * TOLERANCE


@pytest.mark.parametrize("skip", [0, 2])
def test_text_encoding_equals_the_pipeline(skip: int, weft: Weft, pipe: Any) -> None:
    with torch.no_grad():
        theirs, _, pooled, _ = pipe.encode_prompt(
            PROMPTS, None, None, clip_skip=skip, max_sequence_length=TOKENS
        )
    ours = weft.family.encode_text(weft.refs.text, PROMPTS, {"clip_skip": skip}, weft.load, "cpu")
    denoiser: Any = weft.family.denoiser(weft.refs.model, weft.load, "cpu")
    ready = denoiser.prepare([ours], 2)
    assert difference(ready["encoder_hidden_states"], theirs) < TOLERANCE
    assert difference(ready["pooled_projections"], pooled) < TOLERANCE


def test_decoding_equals_the_pipeline(weft: Weft, pipe: Any, text_to_image: torch.Tensor) -> None:
    theirs = pipe(**{**COMMON, "output_type": "np"}, latents=weft.noise()).images
    assert difference(weft.decode(text_to_image), torch.from_numpy(theirs)) < TOLERANCE


def test_a_batch_equals_its_samples_alone(weft: Weft, text_to_image: torch.Tensor) -> None:
    for index in range(2):
        one = slice(index, index + 1)
        alone = weft.run(
            weft.empty(1), sample_seed(3, index), CFG, prompts=PROMPTS[one], negative=NEGATIVE[one]
        )
        assert difference(alone, text_to_image[one]) < TOLERANCE


def test_one_text_serves_a_whole_batch(weft: Weft) -> None:
    one = weft.run(weft.empty(), 3, CFG, prompts=PROMPTS[:1], negative=NEGATIVE[:1])
    same = weft.run(weft.empty(), 3, CFG, prompts=PROMPTS[:1] * 2, negative=NEGATIVE[:1] * 2)
    assert difference(one, same) < TOLERANCE


Break = Callable[[pytest.MonkeyPatch], None]


def _prepared(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Break:
    """A mistake in what the transformer is told of the texts."""

    def broken(patch: pytest.MonkeyPatch) -> None:
        right = sd3.Sd3Denoiser.prepare
        patch.setattr(
            sd3.Sd3Denoiser,
            "prepare",
            lambda self, given, count: (lambda r: {**r, **change(r)})(right(self, given, count)),
        )

    return broken


def _no_t5(ready: dict[str, Any]) -> dict[str, Any]:
    sequence = ready["encoder_hidden_states"].clone()
    sequence[:, TOKENS:] = 0
    return {"encoder_hidden_states": sequence}


def _t5_alone(ready: dict[str, Any]) -> dict[str, Any]:
    return {"encoder_hidden_states": ready["encoder_hidden_states"][:, TOKENS:]}


def _clips_swapped(ready: dict[str, Any]) -> dict[str, Any]:
    return {"pooled_projections": ready["pooled_projections"].roll(32, 1)}


def _last_layer(patch: pytest.MonkeyPatch) -> None:
    right = clip.states
    patch.setattr(clip, "states", lambda net, ids, back, normed: right(net, ids, back - 1, normed))


def _normed(patch: pytest.MonkeyPatch) -> None:
    right = clip.states
    patch.setattr(clip, "states", lambda net, ids, back, normed: right(net, ids, back, True))


def _times(**changes: Any) -> Break:
    right = sd3.flow_times
    return lambda patch: patch.setattr(
        sd3, "flow_times", lambda *given: replace(right(*given), **changes)
    )


MISTAKES: dict[str, Break] = {
    "T5 left out": _prepared(_no_t5),
    "CLIP's tokens left out": _prepared(_t5_alone),
    "pooled vectors in the other order": _prepared(_clips_swapped),
    "CLIP's last layer": _last_layer,
    "CLIP's states normed": _normed,
    "no shift": _times(shift=Shift()),
    "levels down to the first trained step": _times(lowest=0.001),
    "time from 0 to 1": _times(top=1),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_far_off(
    name: str, weft: Weft, text_to_image: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    MISTAKES[name](monkeypatch)
    assert difference(weft.run(weft.empty(), 3, CFG), text_to_image) > MARGIN * TOLERANCE


@pytest.mark.parametrize("changed", [{"cfg": CFG - 1}, {"prompts": PROMPTS[::-1]}, {"seed": 4}])
def test_wrong_settings_are_far_off(
    changed: dict[str, Any], weft: Weft, text_to_image: torch.Tensor
) -> None:
    settings = {"seed": 3, "cfg": CFG, **changed}
    assert difference(weft.run(weft.empty(), **settings), text_to_image) > MARGIN * TOLERANCE


def test_an_unscaled_vae_is_far_off(
    weft: Weft, image_to_image: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for scaling in ((1.0, 0.0609), (1.5305, 0.0)):
        monkeypatch.setattr(kl, "scaling_of", lambda config, s=scaling: Scaling(*s))
        ours = weft.run(weft.encode(picture(), seed=11), 12, CFG, start=1 - 0.6)
        assert difference(ours, image_to_image) > MARGIN * TOLERANCE


def test_wrong_masks_are_far_off(weft: Weft, in_paint: torch.Tensor) -> None:
    latent = weft.masked()
    assert latent.mask is not None
    for wrong in (1 - latent.mask, np.ones_like(latent.mask), np.roll(latent.mask, 1, axis=2)):
        ours = weft.run(latent.but(mask=wrong), 12, CFG, start=1 - 0.8)
        assert difference(ours, in_paint) > MARGIN * TOLERANCE
