"""Chroma against diffusers' pipelines: the same latents in, the same latents out.

The pipelines' text mask is made boolean here, as the model's own code has it; texts that leave
nothing to mask are compared with the pipelines as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.pipelines.chroma import (
    pipeline_chroma,
    pipeline_chroma_img2img,
    pipeline_chroma_inpainting,
)

from backend.diffusion.noise import sample_seed
from backend.diffusion.shift import Shift
from backend.models import chroma, kl, patches2x2
from backend.models.codec import Scaling
from backend.models.patches2x2 import image_ids, pack, unpack
from tests.backend.models import tiny_chroma
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
    "prompt": PROMPTS,
    "negative_prompt": NEGATIVE,
    "guidance_scale": CFG,
    "width": WIDTH,
    "height": HEIGHT,
    "num_inference_steps": STEPS,
    "output_type": "latent",
    "max_sequence_length": tiny_chroma.TOKENS,
}
LONG = ["a long text that goes on and on " * 3, "and another one that never comes to its end " * 2]


def masking(kind: Any) -> Any:
    """A pipeline whose text mask masks."""

    class Masking(kind):  # type: ignore[misc]
        def _prepare_attention_mask(self, *given: Any, **named: Any) -> torch.Tensor:
            return super()._prepare_attention_mask(*given, **named).bool()

    return Masking


def unpacked(result: Any) -> torch.Tensor:
    return unpack(result.images, HEIGHT // 2, WIDTH // 2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_chroma.write(tmp_path_factory.mktemp("chroma"))


@pytest.fixture(scope="module")
def weft(folder: Path) -> Weft:
    return Weft.of(folder)


@pytest.fixture(scope="module")
def text_to_image(folder: Path, weft: Weft) -> torch.Tensor:
    pipe = pipeline(masking(pipeline_chroma.ChromaPipeline), folder)
    return unpacked(pipe(**COMMON, latents=pack(weft.noise())))


@pytest.fixture(scope="module")
def image_to_image(folder: Path) -> torch.Tensor:
    pipe = pipeline(masking(pipeline_chroma_img2img.ChromaImg2ImgPipeline), folder)
    with injected(pipeline_chroma_img2img):
        return unpacked(pipe(**COMMON, image=pixels(), strength=0.6))


@pytest.fixture(scope="module")
def in_paint(folder: Path) -> torch.Tensor:
    pipe = pipeline(masking(pipeline_chroma_inpainting.ChromaInpaintPipeline), folder)
    pipe.transformer.register_to_config(guidance_embeds=False)  # it asks, and Chroma has none
    with injected(pipeline_chroma_inpainting):
        return unpacked(pipe(**COMMON, image=pixels(), mask_image=mask_image(), strength=0.8))


Record = Callable[[str, object], None]


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


def test_texts_without_padding_equal_the_pipeline_as_it_is(folder: Path, weft: Weft) -> None:
    pipe = pipeline(pipeline_chroma.ChromaPipeline, folder)
    told = {**COMMON, "prompt": LONG, "negative_prompt": LONG[::-1]}
    theirs = unpacked(pipe(**told, latents=pack(weft.noise())))
    ours = weft.run(weft.empty(), 3, CFG, prompts=LONG, negative=LONG[::-1])
    assert difference(ours, theirs) < TOLERANCE


@pytest.mark.parametrize(
    "settings", [{"use_dynamic_shifting": False, "shift": 1.0}, {"use_beta_sigmas": True}]
)
def test_other_schedules(settings: dict[str, Any], tmp_path: Path) -> None:
    path = tiny_chroma.write(tmp_path / "other", **settings)
    ours = Weft.of(path)
    pipe = pipeline(masking(pipeline_chroma.ChromaPipeline), path)
    theirs = unpacked(pipe(**COMMON, latents=pack(ours.noise())))
    assert difference(ours.run(ours.empty(), 3, CFG), theirs) < TOLERANCE


def test_text_encoding_equals_the_pipeline(weft: Weft, folder: Path) -> None:
    pipe = pipeline(pipeline_chroma.ChromaPipeline, folder)
    texts = [*PROMPTS, LONG[0]]
    with torch.no_grad():
        theirs, _, mask, *_ = pipe.encode_prompt(
            texts, do_classifier_free_guidance=False, max_sequence_length=tiny_chroma.TOKENS
        )
    ours = weft.family.encode_text(weft.refs.text, texts, {}, weft.load, "cpu")
    assert ours.tensors["mask"].tolist() == mask.tolist()
    assert len(set(mask.sum(1).tolist())) == 3
    kept = torch.from_numpy(ours.tensors["sequence"].copy())
    assert difference(kept, theirs * mask[..., None]) < TOLERANCE


def test_decoding_equals_the_pipeline(
    weft: Weft, folder: Path, text_to_image: torch.Tensor
) -> None:
    pipe = pipeline(masking(pipeline_chroma.ChromaPipeline), folder)
    theirs = pipe(**{**COMMON, "output_type": "np"}, latents=pack(weft.noise())).images
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


def _swap_ids(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(patches2x2, "image_ids", lambda r, c: image_ids(r, c)[:, [0, 2, 1]])


def _patch_order(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(patches2x2, "pack", lambda x: pack(x.transpose(2, 3)).contiguous())


def _static_shift(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(chroma, "flow_shift", lambda settings: Shift("static", 3.0))


def _no_mask(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(chroma, "compact", lambda sequence, mask: (sequence, mask * 0 + 1))


def _no_padding_token(patch: pytest.MonkeyPatch) -> None:
    right = chroma.compact
    patch.setattr(chroma, "compact", lambda sequence, mask: right(sequence[:, :-1], mask[:, 1:]))


def _adding_mask(patch: pytest.MonkeyPatch) -> None:
    prepare = chroma.ChromaDenoiser.prepare

    def numbers(self: Any, given: Any, count: int) -> Any:
        ready = prepare(self, given, count)
        return {**ready, "attention_mask": ready["attention_mask"].float()}

    patch.setattr(chroma.ChromaDenoiser, "prepare", numbers)


def _unmasked_encoder(patch: pytest.MonkeyPatch) -> None:
    right = chroma.tokenise

    def whole(*given: Any) -> Any:
        ids, mask = right(*given)
        return ids, mask * 0 + 1

    patch.setattr(chroma, "tokenise", whole)


MISTAKES: dict[str, Patch] = {
    "image positions with rows and columns swapped": _swap_ids,
    "patches read in the other order": _patch_order,
    "static instead of dynamic shift": _static_shift,
    "no mask": _no_mask,
    "no padding token": _no_padding_token,
    "a mask that is added to the scores": _adding_mask,
    "padding seen by T5": _unmasked_encoder,
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_far_off(
    name: str, weft: Weft, text_to_image: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    MISTAKES[name](monkeypatch)
    ours = weft.run(weft.empty(), 3, CFG)
    assert difference(ours, text_to_image) > MARGIN * TOLERANCE


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
