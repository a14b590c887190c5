"""Lumina 2 against diffusers' pipeline: the same latents in, the same latents out.

The pipeline makes pictures from texts only; image to image and in-paint are compared with it
started from a noised picture, and with the rest put back after each of its steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.pipelines.lumina2 import pipeline_lumina2

from backend.diffusion.noise import gaussian, sample_seed
from backend.diffusion.process import reciprocal
from backend.diffusion.shift import shifted
from backend.models import kl, lumina2, text_llm
from backend.models.codec import Scaling
from tests.backend.models import tiny, tiny_lumina2
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
    picture,
    pipeline,
)

CFG = 3.0
SHIFT = 6.0
COMMON: dict[str, Any] = {
    "prompt": PROMPTS,
    "negative_prompt": NEGATIVE,
    "guidance_scale": CFG,
    "cfg_normalization": False,
    "width": WIDTH * 2,  # sizes count for its checks only: these want multiples of 16
    "height": 2 * HEIGHT,
    "num_inference_steps": STEPS,
    "output_type": "latent",
    "max_sequence_length": tiny_lumina2.TOKENS,
}
Record = Callable[[str, object], None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_lumina2.write(tmp_path_factory.mktemp("lumina2"))


@pytest.fixture(scope="module")
def weft(folder: Path) -> Weft:
    """Negative texts without the system prompt, as the pipeline has them."""
    return Weft.of(folder, negative_options={"system": ""})


@pytest.fixture(scope="module")
def pipe(folder: Path) -> Any:
    return pipeline(pipeline_lumina2.Lumina2Pipeline, folder)


@pytest.fixture(scope="module")
def text_to_image(pipe: Any, weft: Weft) -> torch.Tensor:
    return pipe(**COMMON, latents=weft.noise()).images


def from_picture(pipe: Any, weft: Weft, skip: int, mask: torch.Tensor | None) -> torch.Tensor:
    """The pipeline from the encoded picture, noised to its level after ``skip`` steps."""
    clean = torch.from_numpy(weft.encode(picture(), seed=11).samples.copy())
    noise = gaussian(12, weft.shape())
    grid = reciprocal(STEPS)[skip:]
    levels = [*(shifted(s, SHIFT) for s in grid), 0.0]

    def put_back(_: Any, step: int, __: Any, given: dict[str, Any]) -> dict[str, Any]:
        if mask is None:
            return given
        rest = (1 - levels[step + 1]) * clean + levels[step + 1] * noise
        return {**given, "latents": (1 - mask) * rest + mask * given["latents"]}

    told = {**COMMON, "num_inference_steps": len(grid), "sigmas": grid}
    start = (1 - levels[0]) * clean + levels[0] * noise
    return pipe(**told, latents=start, callback_on_step_end=put_back).images


@pytest.fixture(scope="module")
def image_to_image(pipe: Any, weft: Weft) -> torch.Tensor:
    return from_picture(pipe, weft, 2, None)


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


def test_in_paint_equals_the_pipeline(pipe: Any, weft: Weft, record_property: Record) -> None:
    latent = weft.masked()
    assert latent.mask is not None
    theirs = from_picture(pipe, weft, 1, torch.from_numpy(latent.mask.copy())[:, None])
    found = difference(weft.run(latent, 12, CFG, start=1 - 0.8), theirs)
    record_property("difference", found)
    assert found < TOLERANCE
    wrong = weft.run(latent.but(mask=1 - latent.mask), 12, CFG, start=1 - 0.8)
    assert difference(wrong, theirs) > MARGIN * TOLERANCE


def test_guidance_in_a_part_of_the_run_equals_the_pipelines_truncation(
    pipe: Any, weft: Weft
) -> None:
    part = 3 / STEPS
    theirs = pipe(**{**COMMON, "cfg_trunc_ratio": part + 1e-3}, latents=weft.noise()).images
    for guidance, loose in (("cfg_interval", {}), ("cfg_renorm", {"limit": 1e6})):
        ours = weft.run(weft.empty(), 3, CFG, guidance=guidance, begin=0.0, end=part, **loose)
        assert difference(ours, theirs) < TOLERANCE


def test_another_shift(tmp_path: Path) -> None:
    path = tiny_lumina2.write(tmp_path / "other", shift=2.0)
    ours = Weft.of(path, negative_options={"system": ""})
    theirs = pipeline(pipeline_lumina2.Lumina2Pipeline, path)(**COMMON, latents=ours.noise()).images
    assert difference(ours.run(ours.empty(), 3, CFG), theirs) < TOLERANCE


def test_text_encoding_equals_the_pipeline(weft: Weft, pipe: Any) -> None:
    texts = [*PROMPTS, "a long text " * 20]
    with torch.no_grad():
        theirs, mask, empty, none = pipe.encode_prompt(
            texts, max_sequence_length=tiny_lumina2.TOKENS
        )
    ours = weft.family.encode_text(weft.refs.text, texts, {}, weft.load, "cpu")
    assert ours.tensors["mask"].tolist() == mask.tolist()
    assert len(set(mask.sum(1).tolist())) == 3
    kept = torch.from_numpy(ours.tensors["sequence"].copy())
    assert difference(kept, theirs * mask[..., None]) < TOLERANCE
    bare = weft.family.encode_text(weft.refs.text, [""], {}, weft.load, "cpu").tensors
    assert bare["mask"].tolist() == [[1.0]]
    assert none[0].sum() == 1
    assert difference(torch.from_numpy(bare["sequence"].copy())[0, 0], empty[0, 0]) < TOLERANCE


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


Patch = Callable[[pytest.MonkeyPatch], None]


def _changed_call(change: Callable[[Any, torch.Tensor, float, Any], torch.Tensor]) -> Patch:
    """A patch in which the denoiser's call is made by ``change(right, x, sigma, prepared)``."""

    def lay(patch: pytest.MonkeyPatch) -> None:
        right = lumina2.Lumina2Denoiser.__call__
        patch.setattr(
            lumina2.Lumina2Denoiser,
            "__call__",
            lambda self, x, sigma, ready: change(
                lambda *given: right(self, *given), x, sigma, ready
            ),
        )

    return lay


def _other_layer(patch: pytest.MonkeyPatch) -> None:
    right = text_llm.hidden
    patch.setattr(lumina2, "hidden", lambda net, ids, mask, _: right(net, ids, mask, (-1,)))


def _no_system(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(lumina2, "_asked", lambda texts, options: list(texts))


def _fill_kept(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(lumina2, "compact", lambda sequence, mask: (sequence, mask * 0 + 1))


def _other_shift(patch: pytest.MonkeyPatch) -> None:
    right = lumina2.flow_shift
    patch.setattr(lumina2, "flow_shift", lambda given: replace(right(given), value=5.0))


MISTAKES: dict[str, Patch] = {
    "time counted from the picture": _changed_call(lambda right, x, s, r: right(x, 1 - s, r)),
    "time in thousandths": _changed_call(lambda right, x, s, r: right(x, 1 - (1 - s) * 1e3, r)),
    "rows and columns swapped": _changed_call(
        lambda right, x, s, r: right(x.transpose(2, 3), s, r).transpose(2, 3)
    ),
    "the wrong sign": _changed_call(lambda right, x, s, r: -right(x, s, r)),
    "the last hidden states": _other_layer,
    "no system prompt": _no_system,
    "what fills up shorter texts counted as text": _fill_kept,
    "another shift": _other_shift,
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
    right = tiny.vae().config
    for scaling in ((1.0, right.shift_factor), (right.scaling_factor, 0.0)):
        monkeypatch.setattr(kl, "scaling_of", lambda config, s=scaling: Scaling(*s))
        ours = weft.run(weft.encode(picture(), seed=11), 12, CFG, start=1 - 0.6)
        assert difference(ours, image_to_image) > MARGIN * TOLERANCE
