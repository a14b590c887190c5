"""Z-Image against diffusers' pipelines: the same latents in, the same latents out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.z_image import (
    pipeline_z_image,
    pipeline_z_image_img2img,
    pipeline_z_image_inpaint,
)

from backend.diffusion.noise import sample_seed
from backend.models import kl, text_llm, z_image
from backend.models.codec import Scaling
from tests.backend.models import tiny_z_image
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

CFG = 3.0
COMMON: dict[str, Any] = {
    "negative_prompt": NEGATIVE,
    "guidance_scale": CFG - 1,  # the pipeline adds it to a prediction that already counts as 1
    "width": WIDTH,
    "height": HEIGHT,
    "num_inference_steps": STEPS,
    "output_type": "latent",
    "max_sequence_length": tiny_z_image.TOKENS,
}


def told() -> dict[str, Any]:
    """The pipelines write into the lists of texts that they are given."""
    return {**COMMON, "prompt": [*PROMPTS], "negative_prompt": [*NEGATIVE]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_z_image.write(tmp_path_factory.mktemp("z_image"))


@pytest.fixture(scope="module")
def weft(folder: Path) -> Weft:
    return Weft.of(folder)


@pytest.fixture(scope="module")
def text_to_image(folder: Path, weft: Weft) -> torch.Tensor:
    pipe = pipeline(pipeline_z_image.ZImagePipeline, folder)
    return pipe(**told(), latents=weft.noise()).images


@pytest.fixture(scope="module")
def image_to_image(folder: Path) -> torch.Tensor:
    pipe = pipeline(pipeline_z_image_img2img.ZImageImg2ImgPipeline, folder)
    with injected(pipeline_z_image_img2img):
        return pipe(**told(), image=pixels(), strength=0.6).images


@pytest.fixture(scope="module")
def in_paint(folder: Path) -> torch.Tensor:
    pipe = pipeline(pipeline_z_image_inpaint.ZImageInpaintPipeline, folder)
    with injected(pipeline_z_image_inpaint):
        return pipe(**told(), image=pixels(), mask_image=mask_image(), strength=0.8).images


def test_text_to_image_equals_the_pipeline(
    weft: Weft, text_to_image: torch.Tensor, record_property: Callable[[str, object], None]
) -> None:
    found = difference(weft.run(weft.empty(), 3, CFG), text_to_image)
    record_property("difference", found)
    assert found < TOLERANCE


def test_image_to_image_equals_the_pipeline(
    weft: Weft, image_to_image: torch.Tensor, record_property: Callable[[str, object], None]
) -> None:
    ours = weft.run(weft.encode(picture(), seed=11), 12, CFG, start=1 - 0.6)
    found = difference(ours, image_to_image)
    record_property("difference", found)
    assert found < TOLERANCE


def test_in_paint_equals_the_pipeline(
    weft: Weft, in_paint: torch.Tensor, record_property: Callable[[str, object], None]
) -> None:
    found = difference(weft.run(weft.masked(), 12, CFG, start=1 - 0.8), in_paint)
    record_property("difference", found)
    assert found < TOLERANCE


def test_the_base_models_shift(tmp_path: Path) -> None:
    base = tiny_z_image.write(tmp_path / "base", shift=6.0)
    ours = Weft.of(base)
    theirs = pipeline(pipeline_z_image.ZImagePipeline, base)(**told(), latents=ours.noise()).images
    assert difference(ours.run(ours.empty(), 3, CFG), theirs) < TOLERANCE


def test_unguided_as_turbo_is_used(folder: Path, weft: Weft) -> None:
    pipe = pipeline(pipeline_z_image.ZImagePipeline, folder)
    theirs = pipe(**{**told(), "guidance_scale": 0.0}, latents=weft.noise()).images
    assert difference(weft.run(weft.empty(), 3, 1.0), theirs) < TOLERANCE


def test_renormed_guidance_equals_the_pipelines(folder: Path, weft: Weft) -> None:
    pipe = pipeline(pipeline_z_image.ZImagePipeline, folder)
    plain = weft.run(weft.empty(), 3, CFG)
    for limit in (1.0, 0.9):
        theirs = pipe(**told(), cfg_normalization=limit, latents=weft.noise()).images
        ours = weft.run(weft.empty(), 3, CFG, guidance="cfg_renorm", limit=limit)
        assert difference(ours, theirs) < TOLERANCE
        assert difference(ours, plain) > MARGIN * TOLERANCE


def test_text_encoding_equals_the_pipeline(weft: Weft, folder: Path) -> None:
    pipe = pipeline(pipeline_z_image.ZImagePipeline, folder)
    long = "a long text " * 20
    texts = [*PROMPTS, long]
    with torch.no_grad():
        theirs, _ = pipe.encode_prompt([*texts], max_sequence_length=tiny_z_image.TOKENS)
    ours = weft.family.encode_text(weft.refs.text, texts, {}, weft.load, "cpu")
    lengths = [len(sequence) for sequence in theirs]
    assert len(set(lengths)) == 3
    assert max(lengths) == tiny_z_image.TOKENS
    assert ours.tensors["mask"].sum(1).tolist() == lengths
    for sequence, row in zip(theirs, ours.tensors["sequence"].copy(), strict=True):
        assert difference(torch.from_numpy(row[: len(sequence)]), sequence) < TOLERANCE
        assert not row[len(sequence) :].any()


def test_decoding_equals_the_pipeline(
    weft: Weft, folder: Path, text_to_image: torch.Tensor
) -> None:
    pipe = pipeline(pipeline_z_image.ZImagePipeline, folder)
    theirs = pipe(**{**told(), "output_type": "np"}, latents=weft.noise()).images
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


Patch = Callable[[pytest.MonkeyPatch], None]


def _changed_call(change: Callable[[Any, torch.Tensor, float, Any], torch.Tensor]) -> Patch:
    """A patch in which the denoiser's call is made by ``change(right, x, sigma, prepared)``."""

    def lay(patch: pytest.MonkeyPatch) -> None:
        right = z_image.ZImageDenoiser.__call__
        patch.setattr(
            z_image.ZImageDenoiser,
            "__call__",
            lambda self, x, sigma, ready: change(
                lambda *given: right(self, *given), x, sigma, ready
            ),
        )

    return lay


def _other_layer(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        z_image, "hidden", lambda net, ids, mask, _: text_llm.hidden(net, ids, mask, (-1,))
    )


def _no_template(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(z_image, "chats", lambda tokenizer, texts, **_: list(texts))


def _fill_kept(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(z_image, "compact", lambda sequence, mask: (sequence, mask * 0 + 1))


def _no_shift(patch: pytest.MonkeyPatch) -> None:
    right = z_image.flow_shift
    patch.setattr(z_image, "flow_shift", lambda given: replace(right(given), value=2.5))


MISTAKES: dict[str, Patch] = {
    "time counted from the picture": _changed_call(lambda right, x, s, r: right(x, 1 - s, r)),
    "time a little late": _changed_call(lambda right, x, s, r: right(x, max(s - 0.02, 0), r)),
    "rows and columns swapped": _changed_call(
        lambda right, x, s, r: right(x.transpose(2, 3), s, r).transpose(2, 3)
    ),
    "texts in the other order": _changed_call(lambda right, x, s, r: right(x, s, r[::-1])),
    "the last hidden states": _other_layer,
    "no chat template": _no_template,
    "what fills up shorter texts counted as text": _fill_kept,
    "another shift": _no_shift,
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_far_off(
    name: str, weft: Weft, text_to_image: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    MISTAKES[name](monkeypatch)
    ours = weft.run(weft.empty(), 3, CFG)
    assert difference(ours, text_to_image) > MARGIN * TOLERANCE


def test_the_wrong_sign_never_comes_to_a_picture(
    weft: Weft, text_to_image: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    _changed_call(lambda right, x, s, r: -right(x, s, r))(monkeypatch)
    assert difference(weft.run(weft.empty(), 3, CFG), text_to_image) > 0.5


@pytest.mark.parametrize("changed", [{"cfg": CFG - 1}, {"prompts": PROMPTS[::-1]}, {"seed": 4}])
def test_wrong_settings_are_far_off(
    changed: dict[str, Any], weft: Weft, text_to_image: torch.Tensor
) -> None:
    settings = {"seed": 3, "cfg": CFG, **changed}
    assert difference(weft.run(weft.empty(), **settings), text_to_image) > MARGIN * TOLERANCE


def test_an_unscaled_vae_is_far_off(
    weft: Weft, image_to_image: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for scaling in ((1.0, 0.15), (0.7, 0.0)):
        monkeypatch.setattr(kl, "scaling_of", lambda config, s=scaling: Scaling(*s))
        ours = weft.run(weft.encode(picture(), seed=11), 12, CFG, start=1 - 0.6)
        assert difference(ours, image_to_image) > MARGIN * TOLERANCE


def test_wrong_masks_are_far_off(weft: Weft, in_paint: torch.Tensor) -> None:
    latent = weft.masked()
    assert latent.mask is not None
    for wrong in (1 - latent.mask, np.ones_like(latent.mask), np.roll(latent.mask, 1, axis=2)):
        ours = weft.run(latent.but(mask=wrong), 12, CFG, start=1 - 0.8)
        assert difference(ours, in_paint) > MARGIN * TOLERANCE
