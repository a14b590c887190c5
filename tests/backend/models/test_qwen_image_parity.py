"""Qwen-Image against diffusers' pipelines: the same latents in, the same latents out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.qwenimage import (
    pipeline_qwenimage,
    pipeline_qwenimage_img2img,
    pipeline_qwenimage_inpaint,
)

from backend.diffusion.guidance import cfg_token_norm
from backend.diffusion.noise import sample_seed
from backend.models import one_frame, patches2x2, qwen_image, text_llm
from backend.models.codec import Scaling
from backend.models.patches2x2 import pack, unpack
from backend.values import Latent
from tests.backend.models import tiny_qwen
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
    "true_cfg_scale": CFG,
    "width": WIDTH,
    "height": HEIGHT,
    "num_inference_steps": STEPS,
    "output_type": "latent",
}


def unpacked(result: Any) -> torch.Tensor:
    return unpack(result.images, HEIGHT // 2, WIDTH // 2)


def run(weft: Weft, latent: Latent, seed: int, **changes: Any) -> torch.Tensor:
    return weft.run(latent, seed, **{"cfg": CFG, "guidance": "cfg_token_norm", **changes})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_qwen.write(tmp_path_factory.mktemp("qwen_image"))


@pytest.fixture(scope="module")
def weft(folder: Path) -> Weft:
    return Weft.of(folder)


@pytest.fixture(scope="module")
def text_to_image(folder: Path, weft: Weft) -> torch.Tensor:
    pipe = pipeline(pipeline_qwenimage.QwenImagePipeline, folder)
    return unpacked(pipe(**COMMON, latents=pack(weft.noise())))


@pytest.fixture(scope="module")
def image_to_image(folder: Path) -> torch.Tensor:
    pipe = pipeline(pipeline_qwenimage_img2img.QwenImageImg2ImgPipeline, folder)
    with injected(pipeline_qwenimage_img2img):
        return unpacked(pipe(**COMMON, image=pixels(), strength=0.6))


@pytest.fixture(scope="module")
def in_paint(folder: Path) -> torch.Tensor:
    pipe = pipeline(pipeline_qwenimage_inpaint.QwenImageInpaintPipeline, folder)
    with injected(pipeline_qwenimage_inpaint):
        return unpacked(pipe(**COMMON, image=pixels(), mask_image=mask_image(), strength=0.8))


def test_text_to_image_equals_the_pipeline(
    weft: Weft, text_to_image: torch.Tensor, record_property: Callable[[str, object], None]
) -> None:
    found = difference(run(weft, weft.empty(), 3), text_to_image)
    record_property("difference", found)
    assert found < TOLERANCE


def test_image_to_image_equals_the_pipeline(
    weft: Weft, image_to_image: torch.Tensor, record_property: Callable[[str, object], None]
) -> None:
    found = difference(
        run(weft, weft.encode(picture(), seed=11), 12, start=1 - 0.6), image_to_image
    )
    record_property("difference", found)
    assert found < TOLERANCE


def test_in_paint_equals_the_pipeline(
    weft: Weft, in_paint: torch.Tensor, record_property: Callable[[str, object], None]
) -> None:
    found = difference(run(weft, weft.masked(), 12, start=1 - 0.8), in_paint)
    record_property("difference", found)
    assert found < TOLERANCE


def test_the_lightning_models_schedule(tmp_path: Path) -> None:
    """A fixed shift of 3, with no last level."""
    settings = {"base_shift": np.log(3), "max_shift": np.log(3), "shift_terminal": None}
    folder = tiny_qwen.write(tmp_path / "fixed", **settings)
    ours = Weft.of(folder)
    pipe = pipeline(pipeline_qwenimage.QwenImagePipeline, folder)
    theirs = unpacked(pipe(**COMMON, latents=pack(ours.noise())))
    assert difference(run(ours, ours.empty(), 3), theirs) < TOLERANCE


def test_unguided(folder: Path, weft: Weft) -> None:
    pipe = pipeline(pipeline_qwenimage.QwenImagePipeline, folder)
    settings = {**COMMON, "true_cfg_scale": 1.0}
    theirs = unpacked(pipe(**settings, latents=pack(weft.noise())))
    assert difference(run(weft, weft.empty(), 3, cfg=1.0), theirs) < TOLERANCE


def test_text_encoding_equals_the_pipeline(weft: Weft, folder: Path) -> None:
    pipe = pipeline(pipeline_qwenimage.QwenImagePipeline, folder)
    pipe.tokenizer_max_length = tiny_qwen.TOKENS
    texts = [*PROMPTS, "a long {text} " * 20]
    with torch.no_grad():
        theirs, mask = pipe.encode_prompt(texts)
    ours = weft.family.encode_text(weft.refs.text, texts, {}, weft.load, "cpu")
    assert mask.sum(1).tolist() == ours.tensors["mask"].sum(1).tolist()
    assert len(set(mask.sum(1).tolist())) == 3
    assert difference(torch.from_numpy(ours.tensors["sequence"].copy()), theirs) < TOLERANCE
    short = weft.family.encode_text(weft.refs.text, texts, {"max_tokens": 9}, weft.load, "cpu")
    with torch.no_grad():
        theirs, _ = pipe.encode_prompt(texts, max_sequence_length=9)
    assert difference(torch.from_numpy(short.tensors["sequence"].copy()), theirs) < TOLERANCE


def test_decoding_equals_the_pipeline(
    weft: Weft, folder: Path, text_to_image: torch.Tensor
) -> None:
    pipe = pipeline(pipeline_qwenimage.QwenImagePipeline, folder)
    theirs = pipe(**{**COMMON, "output_type": "np"}, latents=pack(weft.noise())).images
    assert difference(weft.decode(text_to_image), torch.from_numpy(theirs)) < TOLERANCE


def test_a_batch_equals_its_samples_alone(weft: Weft, text_to_image: torch.Tensor) -> None:
    for index in range(2):
        one = slice(index, index + 1)
        texts = {"prompts": PROMPTS[one], "negative": NEGATIVE[one]}
        alone = run(weft, weft.empty(1), sample_seed(3, index), **texts)
        assert difference(alone, text_to_image[one]) < TOLERANCE


def test_one_text_serves_a_whole_batch(weft: Weft) -> None:
    one = run(weft, weft.empty(), 3, prompts=PROMPTS[:1], negative=NEGATIVE[:1])
    same = run(weft, weft.empty(), 3, prompts=PROMPTS[:1] * 2, negative=NEGATIVE[:1] * 2)
    assert difference(one, same) < TOLERANCE


Patch = Callable[[pytest.MonkeyPatch], None]


def _changed_call(change: Callable[[Any, torch.Tensor, float, Any], torch.Tensor]) -> Patch:
    """A patch in which the denoiser's call is made by ``change(right, x, sigma, prepared)``."""

    def lay(patch: pytest.MonkeyPatch) -> None:
        right = qwen_image.QwenImageDenoiser.__call__
        patch.setattr(
            qwen_image.QwenImageDenoiser,
            "__call__",
            lambda self, x, sigma, ready: change(
                lambda *given: right(self, *given), x, sigma, ready
            ),
        )

    return lay


def _other_layer(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        qwen_image, "hidden", lambda net, ids, mask, _: text_llm.hidden(net, ids, mask, (-2,))
    )


def _no_template(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(qwen_image, "_asked", lambda text: "|" * 34 + text)


def _less_dropped(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(qwen_image, "INSTRUCTION", 33)


def _fill_kept(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(qwen_image, "compact", lambda sequence, mask: (sequence, mask * 0 + 1))


def _no_terminal(patch: pytest.MonkeyPatch) -> None:
    right = qwen_image.flow_shift
    patch.setattr(qwen_image, "flow_shift", lambda given: replace(right(given), terminal=None))


def _patch_order(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(qwen_image, "pack", lambda x: patches2x2.pack(x.transpose(2, 3)).contiguous())


def _norm_of_cells(patch: pytest.MonkeyPatch) -> None:
    right = cfg_token_norm.token_norms
    patch.setattr(cfg_token_norm, "token_norms", lambda x, _: right(x, 1))


MISTAKES: dict[str, Patch] = {
    "time counted from the picture": _changed_call(lambda right, x, s, r: right(x, 1 - s, r)),
    "rows and columns swapped": _changed_call(
        lambda right, x, s, r: right(x.transpose(2, 3), s, r).transpose(2, 3)
    ),
    "another layer's hidden states": _other_layer,
    "no template": _no_template,
    "one token less dropped": _less_dropped,
    "what fills up shorter texts counted as text": _fill_kept,
    "no last level in the shift": _no_terminal,
    "patches read in the other order": _patch_order,
    "norms of cells instead of tokens": _norm_of_cells,
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_far_off(
    name: str, weft: Weft, text_to_image: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    MISTAKES[name](monkeypatch)
    assert difference(run(weft, weft.empty(), 3), text_to_image) > MARGIN * TOLERANCE


@pytest.mark.parametrize(
    "changed", [{"cfg": CFG - 1}, {"prompts": PROMPTS[::-1]}, {"seed": 4}, {"guidance": "cfg"}]
)
def test_wrong_settings_are_far_off(
    changed: dict[str, Any], weft: Weft, text_to_image: torch.Tensor
) -> None:
    settings = {"seed": 3, **changed}
    assert difference(run(weft, weft.empty(), **settings), text_to_image) > MARGIN * TOLERANCE


def test_an_unscaled_vae_is_far_off(
    weft: Weft, image_to_image: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = one_frame.channel_scaling
    for part in ({"scale": 1.0}, {"shift": 0.0}):
        with monkeypatch.context() as patch:
            patch.setattr(
                one_frame,
                "channel_scaling",
                lambda config, p=part: Scaling(**{**vars(right(config)), **p}),
            )
            ours = run(weft, weft.encode(picture(), seed=11), 12, start=1 - 0.6)
        assert difference(ours, image_to_image) > MARGIN * TOLERANCE


def test_wrong_masks_are_far_off(weft: Weft, in_paint: torch.Tensor) -> None:
    latent = weft.masked()
    assert latent.mask is not None
    for wrong in (1 - latent.mask, np.ones_like(latent.mask), np.roll(latent.mask, 1, axis=2)):
        ours = run(weft, latent.but(mask=wrong), 12, start=1 - 0.8)
        assert difference(ours, in_paint) > MARGIN * TOLERANCE
