"""Sana against diffusers' pipeline: the same latents in, the same latents out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.sana import pipeline_sana

from backend.diffusion.noise import sample_seed
from backend.diffusion.shift import Shift
from backend.models import sana, text_llm
from backend.values import Latent
from tests.backend.models import tiny_sana
from tests.backend.models.parity import (
    MARGIN,
    NEGATIVE,
    PROMPTS,
    STEPS,
    TOLERANCE,
    Weft,
    difference,
    picture,
    pipeline,
    pixels,
)

WIDTH, HEIGHT = 64, 32
CFG = 3.0
COMMON: dict[str, Any] = {
    "prompt": PROMPTS,
    "negative_prompt": NEGATIVE,
    "guidance_scale": CFG,
    "width": WIDTH,
    "height": HEIGHT,
    "num_inference_steps": STEPS,
    "output_type": "latent",
    "max_sequence_length": tiny_sana.TOKENS,
    "use_resolution_binning": False,
}


class Wide(Weft):
    """The pipeline takes multiples of 32 pixels only, whatever the autoencoder."""

    def shape(self, count: int = 2) -> tuple[int, ...]:
        return (count, 4, HEIGHT // 2, WIDTH // 2)


def run(weft: Weft, latent: Latent, seed: int, **changes: Any) -> torch.Tensor:
    return weft.run(latent, seed, **{"cfg": CFG, "solver": "dpmpp_2m", **changes})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_sana.write(tmp_path_factory.mktemp("sana"))


@pytest.fixture(scope="module")
def weft(folder: Path) -> Weft:
    """The pipeline puts the instruction before the prompt only."""
    return Wide.of(folder, negative_options={"instruction": ""})


@pytest.fixture(scope="module")
def text_to_image(folder: Path, weft: Weft) -> torch.Tensor:
    pipe = pipeline(pipeline_sana.SanaPipeline, folder)
    return pipe(**COMMON, latents=weft.noise()).images


def test_text_to_image_equals_the_pipeline(
    weft: Weft, text_to_image: torch.Tensor, record_property: Callable[[str, object], None]
) -> None:
    found = difference(run(weft, weft.empty(), 3), text_to_image)
    record_property("difference", found)
    assert found < TOLERANCE


@pytest.mark.parametrize("settings", [{"flow_shift": 1.0}, {"solver_order": 1}])
def test_other_schedulers_equal_the_pipeline(settings: dict[str, Any], tmp_path: Path) -> None:
    folder = tiny_sana.write(tmp_path / "other", **settings)
    weft = Wide.of(folder, negative_options={"instruction": ""})
    theirs = pipeline(pipeline_sana.SanaPipeline, folder)(**COMMON, latents=weft.noise()).images
    solver = "euler" if "solver_order" in settings else "dpmpp_2m"
    assert difference(run(weft, weft.empty(), 3, solver=solver), theirs) < TOLERANCE


def test_unguided(folder: Path, weft: Weft) -> None:
    pipe = pipeline(pipeline_sana.SanaPipeline, folder)
    theirs = pipe(**{**COMMON, "guidance_scale": 1.0}, latents=weft.noise()).images
    assert difference(run(weft, weft.empty(), 3, cfg=1.0), theirs) < TOLERANCE


def test_text_encoding_equals_the_pipeline(weft: Weft, folder: Path) -> None:
    pipe = pipeline(pipeline_sana.SanaPipeline, folder)
    texts = [*PROMPTS, " A LONG text " * 20]
    for instruction in (sana.INSTRUCTION, "write: ", ""):
        with torch.no_grad():
            theirs, mask, _, _ = pipe.encode_prompt(
                texts,
                do_classifier_free_guidance=False,
                max_sequence_length=tiny_sana.TOKENS,
                complex_human_instruction=[instruction] if instruction else None,
            )
        options = {"instruction": instruction}
        ours = weft.family.encode_text(weft.refs.text, texts, options, weft.load, "cpu").tensors
        lengths = [int(m.sum()) for m in mask]
        assert ours["mask"].sum(1).tolist() == lengths
        assert max(lengths) == tiny_sana.TOKENS
        assert len(set(lengths)) == 3
        for row, their, n in zip(ours["sequence"].copy(), theirs, lengths, strict=True):
            assert difference(torch.from_numpy(row[:n]), their[:n]) < TOLERANCE
            assert not row[n:].any()


def test_an_empty_text_has_no_instruction(weft: Weft, folder: Path) -> None:
    pipe = pipeline(pipeline_sana.SanaPipeline, folder)
    with torch.no_grad():
        _, _, theirs, mask = pipe.encode_prompt(
            "a", max_sequence_length=tiny_sana.TOKENS, complex_human_instruction=["long"]
        )
    ours = weft.family.encode_text(weft.refs.text, ["a", ""], {}, weft.load, "cpu").tensors
    assert int(mask.sum()) == ours["mask"][1].sum() == 1
    assert difference(torch.from_numpy(ours["sequence"][1:, :1].copy()), theirs[:, :1]) < TOLERANCE


def test_decoding_equals_the_pipeline(
    weft: Weft, folder: Path, text_to_image: torch.Tensor
) -> None:
    pipe = pipeline(pipeline_sana.SanaPipeline, folder)
    theirs = pipe(**{**COMMON, "output_type": "np"}, latents=weft.noise()).images
    assert difference(weft.decode(text_to_image), torch.from_numpy(theirs)) < TOLERANCE


def test_encoding_equals_the_autoencoders(weft: Weft) -> None:
    net = weft.load(weft.refs.vae)
    with torch.no_grad():
        theirs = net.encode(pixels() * 2 - 1).latent * 0.7
    for seed in (None, 3):
        ours = weft.encode(picture(), seed)
        assert difference(torch.from_numpy(ours.samples.copy()), theirs) < TOLERANCE


def test_image_to_image_equals_the_schedulers_way(weft: Weft, folder: Path) -> None:
    """There is no pipeline: the scheduler noises the code, and the pipeline goes on from there."""
    pipe = pipeline(pipeline_sana.SanaPipeline, folder)
    begin = 3

    class Late(type(pipe.scheduler)):  # type: ignore[misc]
        def set_timesteps(self, *args: Any, **named: Any) -> None:
            super().set_timesteps(*args, **named)
            self.timesteps = self.timesteps[begin:]
            self.sigmas = self.sigmas[begin:]

    code = torch.from_numpy(np.random.default_rng(1).normal(size=weft.shape()).astype(np.float32))
    scheduler = pipe.scheduler
    scheduler.set_timesteps(STEPS)
    sigma = scheduler.sigmas[begin]
    pipe.scheduler = Late.from_config(scheduler.config)
    theirs = pipe(**COMMON, latents=(1 - sigma) * code + sigma * weft.noise(12)).images
    ours = run(weft, Latent(code.numpy(), "any"), 12, start=begin / STEPS)
    assert difference(ours, theirs) < TOLERANCE


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
        right = sana.SanaDenoiser.__call__
        patch.setattr(
            sana.SanaDenoiser,
            "__call__",
            lambda self, x, sigma, ready: change(
                lambda *given: right(self, *given), x, sigma, ready
            ),
        )

    return lay


def _other_layer(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sana, "hidden", lambda net, ids, mask, _: text_llm.hidden(net, ids, mask, (-2,)))


def _no_instruction(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sana, "INSTRUCTION", "")


def _one_more_kept(patch: pytest.MonkeyPatch) -> None:
    right = sana._dropped
    patch.setattr(sana, "_dropped", lambda *given: max(right(*given) - 1, 0))


def _fill_kept(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sana, "compact", lambda sequence, mask: (sequence, mask * 0 + 1))


def _other_shift(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sana, "Shift", lambda kind, value: Shift(kind, value - 0.5))


def _grid_from_one(patch: pytest.MonkeyPatch) -> None:
    right = sana.Process
    grid = lambda n: np.linspace(1, 0.001, n).tolist()  # noqa: E731
    patch.setattr(sana, "Process", lambda *a, **k: replace(right(*a, **k), grid=grid))


MISTAKES: dict[str, Patch] = {
    "time counted from the picture": _changed_call(lambda right, x, s, r: right(x, 1 - s, r)),
    "rows and columns swapped": _changed_call(
        lambda right, x, s, r: right(x.transpose(2, 3), s, r).transpose(2, 3)
    ),
    "the last hidden states but one": _other_layer,
    "no instruction": _no_instruction,
    "one token more of the instruction": _one_more_kept,
    "instruction and what fills up counted as text": _fill_kept,
    "another shift": _other_shift,
    "another grid": _grid_from_one,
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_far_off(
    name: str, weft: Weft, text_to_image: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    MISTAKES[name](monkeypatch)
    assert difference(run(weft, weft.empty(), 3), text_to_image) > MARGIN * TOLERANCE


@pytest.mark.parametrize(
    "changed", [{"cfg": CFG - 1}, {"prompts": PROMPTS[::-1]}, {"seed": 4}, {"solver": "euler"}]
)
def test_wrong_settings_are_far_off(
    changed: dict[str, Any], weft: Weft, text_to_image: torch.Tensor
) -> None:
    settings = {"seed": 3, **changed}
    assert difference(run(weft, weft.empty(), **settings), text_to_image) > MARGIN * TOLERANCE
