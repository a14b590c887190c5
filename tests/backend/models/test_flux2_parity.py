"""FLUX.2 Klein against diffusers' pipelines: the same latents in, the same latents out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.flux2 import pipeline_flux2_klein, pipeline_flux2_klein_inpaint
from PIL import Image as Pillow

from backend.catalog.folder import read_folder
from backend.diffusion import sample
from backend.diffusion.noise import gaussian, sample_seed
from backend.diffusion.shift import Shift
from backend.models import flux2, reference, text_llm
from backend.values import Guider, Image, Latent, Noise, Schedule, Solver, Term
from tests.backend.models import tiny_flux2
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
Record = Callable[[str, object], None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_flux2.write(tmp_path_factory.mktemp("flux2"))


@pytest.fixture(scope="module")
def weft(folder: Path) -> Weft:
    return Weft.of(folder)


@pytest.fixture(scope="module")
def pipe(folder: Path) -> Any:
    return pipeline(pipeline_flux2_klein.Flux2KleinPipeline, folder)


def told(pipe: Any) -> dict[str, Any]:
    """The pipelines know no negative texts, only what is made of them."""
    with torch.no_grad():
        negative, _ = pipe.encode_prompt(NEGATIVE, max_sequence_length=tiny_flux2.TOKENS)
    return {
        "prompt": PROMPTS,
        "negative_prompt_embeds": negative,
        "guidance_scale": CFG,
        "width": WIDTH,
        "height": HEIGHT,
        "num_inference_steps": STEPS,
        "output_type": "latent",
        "max_sequence_length": tiny_flux2.TOKENS,
    }


def normed(raw: torch.Tensor) -> torch.Tensor:
    """The VAE's own latents as the denoiser sees them."""
    bn = tiny_flux2.vae().bn
    mean, variance = (t.reshape(1, -1, 1, 1) for t in (bn.running_mean, bn.running_var))
    return (flux2.fold(raw) - mean) / (variance + 1e-4).sqrt()


@pytest.fixture(scope="module")
def text_to_image(pipe: Any, weft: Weft) -> torch.Tensor:
    return normed(pipe(**told(pipe), latents=weft.noise()).images)


def with_references(
    weft: Weft, latent: Latent, seed: int, start: float, given: Sequence[Latent]
) -> torch.Tensor:
    """Weft's run with reference pictures in both conditionings."""
    terms = []
    for role, texts in (("positive", PROMPTS), ("negative", NEGATIVE)):
        coded = weft.family.encode_text(weft.refs.text, texts, {}, weft.load, "cpu")
        for each in given:
            coded = reference.add(coded, each)
        terms.append(Term(role, coded))
    result = sample.sample(
        weft.family.denoiser(weft.refs.model, weft.load, "cpu"),
        Guider("cfg", {"cfg": CFG}, weft.refs.model, tuple(terms)),
        Solver("euler"),
        Schedule("native", steps=STEPS, start=start),
        Noise("gaussian", seed=seed),
        latent,
    )
    return torch.from_numpy(result.samples.copy())


def test_text_to_image_equals_the_pipeline(
    weft: Weft, text_to_image: torch.Tensor, record_property: Record
) -> None:
    found = difference(weft.run(weft.empty(), 3, CFG), text_to_image)
    record_property("difference", found)
    assert found < TOLERANCE


def test_pictures_to_refer_to_equal_the_pipelines(
    pipe: Any, weft: Weft, text_to_image: torch.Tensor, record_property: Record
) -> None:
    rng = np.random.default_rng(9)
    shown = [
        (rng.random((height, width, 3)) * 255).astype(np.uint8)
        for height, width in ((64, 72), (80, 64))
    ]
    theirs = normed(
        pipe(**told(pipe), image=[Pillow.fromarray(s) for s in shown], latents=weft.noise()).images
    )
    latents = [weft.encode(Image(s[None].astype(np.float32) / 255)) for s in shown]
    ours = with_references(weft, weft.empty(), 3, 0.0, latents)
    found = difference(ours, theirs)
    record_property("difference", found)
    assert found < TOLERANCE
    for wrong in (latents[::-1], latents[:1], []):
        other = with_references(weft, weft.empty(), 3, 0.0, wrong)
        assert difference(other, theirs) > MARGIN * TOLERANCE


def test_in_paint_equals_the_pipeline(folder: Path, weft: Weft, record_property: Record) -> None:
    """Theirs shows the model the picture as a reference, and blends by a mask of greys."""
    kind = pipeline_flux2_klein_inpaint.Flux2KleinInpaintPipeline
    pipe = pipeline(kind, folder)
    with injected(pipeline_flux2_klein_inpaint):
        made = pipe(**told(pipe), image=pixels(), mask_image=mask_image(), strength=0.8)
    theirs = normed(made.images)
    clean = weft.encode(picture())
    size = clean.samples.shape[-2:]
    mask = torch.nn.functional.interpolate(mask_image(), size=size, mode="bilinear")[:, 0].numpy()
    ours = with_references(weft, clean.but(mask=mask), 12, 1 - 0.8, [clean])
    found = difference(ours, theirs)
    record_property("difference", found)
    assert found < TOLERANCE
    for wrong, given in ((1 - mask, [clean]), (mask, [])):
        other = with_references(weft, clean.but(mask=wrong), 12, 1 - 0.8, given)
        assert difference(other, theirs) > MARGIN * TOLERANCE


def test_image_to_image_goes_on_from_the_noised_picture(pipe: Any, weft: Weft) -> None:
    """No pipeline does so: theirs is started at the level, with what is left of the levels."""
    clean = weft.encode(picture())
    denoiser = weft.family.denoiser(weft.refs.model, weft.load, "cpu")
    shape = weft.shape()
    levels = denoiser.process.native(STEPS, denoiser.tokens(shape))[2:]
    start = (1 - levels[0]) * torch.from_numpy(clean.samples.copy())
    start = start + levels[0] * gaussian(12, shape)
    pipe = pipe.__class__(**{**pipe.components, "scheduler": _unshifted(pipe)})
    pipe.set_progress_bar_config(disable=True)
    given = {**told(pipe), "num_inference_steps": len(levels), "sigmas": levels}
    theirs = normed(pipe(**given, latents=start).images)
    assert difference(weft.run(clean, 12, CFG, start=1 - 0.6), theirs) < TOLERANCE


def _unshifted(pipe: Any) -> Any:
    return pipe.scheduler.__class__(shift=1.0, use_dynamic_shifting=False)


def test_a_static_shift(tmp_path: Path) -> None:
    path = tiny_flux2.write(tmp_path / "static", use_dynamic_shifting=False)
    ours = Weft.of(path)
    pipe = pipeline(pipeline_flux2_klein.Flux2KleinPipeline, path)
    theirs = normed(pipe(**told(pipe), latents=ours.noise()).images)
    assert difference(ours.run(ours.empty(), 3, CFG), theirs) < TOLERANCE


def test_a_few_step_model_as_it_is_used(tmp_path: Path) -> None:
    path = tiny_flux2.write(tmp_path / "distilled", distilled=True)
    ours = Weft.of(path)
    pipe = pipeline(pipeline_flux2_klein.Flux2KleinPipeline, path)
    theirs = normed(pipe(**told(pipe), latents=ours.noise()).images)
    assert difference(ours.run(ours.empty(), 3, 1.0), theirs) < TOLERANCE


@pytest.mark.parametrize("steps", [1, 4, 10, 50, 200])
@pytest.mark.parametrize("tokens", [16, 4096, 4300, 4301, 9000])
def test_the_shift_is_the_pipelines(tokens: int, steps: int) -> None:
    said = pipeline_flux2_klein.compute_empirical_mu(tokens, steps)
    assert flux2.measured_mu(tokens, steps) == pytest.approx(said, abs=1e-9)


def test_text_encoding_equals_the_pipeline(weft: Weft, pipe: Any) -> None:
    texts = [*PROMPTS, "a long text " * 20]
    with torch.no_grad():
        theirs, _ = pipe.encode_prompt(texts, max_sequence_length=tiny_flux2.TOKENS)
    ours = weft.family.encode_text(weft.refs.text, texts, {}, weft.load, "cpu")
    assert difference(torch.from_numpy(ours.tensors["sequence"].copy()), theirs) < TOLERANCE


def test_coding_equals_the_pipeline(weft: Weft, pipe: Any, text_to_image: torch.Tensor) -> None:
    theirs = pipe(**{**told(pipe), "output_type": "np"}, latents=weft.noise()).images
    assert difference(weft.decode(text_to_image), torch.from_numpy(theirs)) < TOLERANCE
    with torch.no_grad():
        coded = pipe._encode_vae_image(pixels() * 2 - 1, None)
    assert difference(torch.from_numpy(weft.encode(picture()).samples.copy()), coded) < TOLERANCE


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


def _positions(order: list[int]) -> Patch:
    def lay(patch: pytest.MonkeyPatch) -> None:
        right = flux2.positions
        patch.setattr(flux2, "positions", lambda *given: right(*given)[:, order])

    return lay


def _no_word_places(patch: pytest.MonkeyPatch) -> None:
    right = flux2.positions
    patch.setattr(flux2, "positions", lambda *given: right(*given) * torch.tensor([1, 1, 1, 0]))


def _other_layers(patch: pytest.MonkeyPatch) -> None:
    right = text_llm.hidden
    patch.setattr(flux2, "hidden", lambda net, ids, mask, _: right(net, ids, mask, (8, 18, 27)))


def _layers_interleaved(patch: pytest.MonkeyPatch) -> None:
    right = text_llm.hidden
    patch.setattr(
        flux2, "hidden", lambda net, ids, mask, layers: right(net, ids, mask, layers)[::-1]
    )


def _thinking(patch: pytest.MonkeyPatch) -> None:
    right = text_llm.chats
    patch.setattr(flux2, "chats", lambda tokenizer, texts, **_: right(tokenizer, texts))


def _shorter(patch: pytest.MonkeyPatch) -> None:
    right = flux2.tokenise
    patch.setattr(flux2, "tokenise", lambda tok, texts, n, net: right(tok, texts, n - 8, net))


def _usual_shift(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(flux2, "MeasuredShift", Shift)


def _steps_forgotten(patch: pytest.MonkeyPatch) -> None:
    right = flux2.measured_mu
    patch.setattr(flux2, "measured_mu", lambda tokens, steps: right(tokens, 50))


def _late_end(patch: pytest.MonkeyPatch) -> None:
    right = flux2.Process
    grid = lambda n: np.linspace(1, 0.001, n).tolist()  # noqa: E731
    patch.setattr(flux2, "Process", lambda *a, **k: replace(right(*a, **k), grid=grid))


MISTAKES: dict[str, Patch] = {
    "rows and columns swapped": _positions([0, 2, 1, 3]),
    "words counted as rows": _positions([0, 3, 2, 1]),
    "words without places": _no_word_places,
    "another layer of the language model": _other_layers,
    "layers in the other order": _layers_interleaved,
    "a template that lets it think": _thinking,
    "less filling": _shorter,
    "the scheduler's own shift": _usual_shift,
    "the shift of 50 steps": _steps_forgotten,
    "levels down to 0.001 instead of 1/steps": _late_end,
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


def test_a_vae_without_its_batch_norm_is_far_off(
    weft: Weft, pipe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with torch.no_grad():
        coded = pipe._encode_vae_image(pixels() * 2 - 1, None)
    for name, wrong in (("_mean", 0.0), ("_spread", 1.0)):
        with monkeypatch.context() as patch:
            patch.setattr(flux2, name, lambda vae, value=wrong: value)
            ours = torch.from_numpy(weft.encode(picture()).samples.copy())
            assert difference(ours, coded) > MARGIN * TOLERANCE


def test_attention_sees_references_behind_the_image(folder: Path, weft: Weft) -> None:
    text = weft.family.encode_text(weft.refs.text, ["a"], {}, weft.load, "cpu")
    denoiser: Any = weft.family.denoiser(weft.refs.model, weft.load, "cpu")
    words = denoiser.prepare([text], 1)["text"].shape[1]
    channels = weft.family.facts(read_folder(folder)).geometry.channels
    picture = Latent(np.zeros((1, channels, 2, 4), np.float32), weft.refs.vae.space)
    denoiser.prepare([reference.add(text, picture)], 1)
    length = words + 20 + 8
    found = denoiser.spans(weft.family.card.sites[0], length, length, 20)
    assert found.text_keys == slice(0, words)
    assert found.image_keys == slice(words, words + 20)
