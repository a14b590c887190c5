"""FLUX.2 Klein against diffusers' pipelines: the same latents in, the same latents out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.flux2 import Flux2KleinInpaintPipeline, Flux2KleinPipeline
from diffusers.pipelines.flux2.pipeline_flux2_klein import compute_empirical_mu
from PIL import Image as Pillow

from backend.catalog.folder import read_folder
from backend.diffusion.noise import gaussian
from backend.diffusion.shift import Shift
from backend.models import flux2, reference
from backend.values import Image, Latent
from tests.backend.models import tiny_flux2
from tests.backend.models.battery import PAINTED, STRENGTH, Case, Parity, Variant
from tests.backend.models.mistakes import Mistake, altered, even_grid, instead, layers
from tests.backend.models.parity import (
    MARGIN,
    NEGATIVE,
    PROMPTS,
    STEPS,
    TOLERANCE,
    Shown,
    Weft,
    difference,
    injected,
    mask_image,
    picture,
    pixels,
)


def with_references(latents: Sequence[Latent]) -> Shown:
    """Reference pictures in both conditionings."""

    def show(role: str, told: Any) -> Any:
        for each in latents:
            told = reference.add(told, each)
        return told

    return show


def _places(order: list[int]) -> Mistake:
    return instead(flux2, "positions", lambda right: lambda *given: right(*given)[:, order])


def _no_word_places(right: Any) -> Any:
    return lambda *given: right(*given) * torch.tensor([1, 1, 1, 0])


def _interleaved(right: Any) -> Any:
    return lambda net, ids, mask, chosen: right(net, ids, mask, chosen)[::-1]


def _shorter(right: Any) -> Any:
    return lambda tokenizer, texts, length, net: right(tokenizer, texts, length - 8, net)


class TestFlux2Klein(Parity):
    case = Case(
        tiny_flux2.write,
        Flux2KleinPipeline,
        told={"max_sequence_length": tiny_flux2.TOKENS},
        variants={
            "a static shift": Variant(partial(tiny_flux2.write, use_dynamic_shifting=False)),
            "a few-step model": Variant(
                partial(tiny_flux2.write, distilled=True), weft={"cfg": 1.0}
            ),
        },
        mistakes={
            "rows and columns swapped": _places([0, 2, 1, 3]),
            "words counted as rows": _places([0, 3, 2, 1]),
            "words without places": instead(flux2, "positions", _no_word_places),
            "another layer of the language model": layers(flux2, 8, 18, 27),
            "layers in the other order": instead(flux2, "hidden", _interleaved),
            "a template that lets it think": instead(
                flux2, "chats", lambda right: lambda tokenizer, texts, **_: right(tokenizer, texts)
            ),
            "less filling": instead(flux2, "tokenise", _shorter),
            "the scheduler's own shift": instead(flux2, "MeasuredShift", lambda right: Shift),
            "the shift of 50 steps": instead(
                flux2, "measured_mu", lambda right: lambda tokens, steps: right(tokens, 50)
            ),
            "levels down to 0.001 instead of 1/steps": altered(
                flux2, "Process", grid=even_grid(0.001)
            ),
        },
    )

    @classmethod
    def told(cls, pipe: Any, weft: Weft) -> dict[str, Any]:
        """The pipelines know no negative texts, only what is made of them."""
        with torch.no_grad():
            negative, _ = pipe.encode_prompt(NEGATIVE, max_sequence_length=tiny_flux2.TOKENS)
        told = super().told(pipe, weft)
        del told["negative_prompt"]
        return {**told, "negative_prompt_embeds": negative}

    @classmethod
    def latents(cls, result: Any) -> torch.Tensor:
        """The VAE's own latents as the denoiser sees them."""
        bn = tiny_flux2.vae().bn
        mean, variance = (t.reshape(1, -1, 1, 1) for t in (bn.running_mean, bn.running_var))
        return (flux2.fold(result[0]) - mean) / (variance + 1e-4).sqrt()

    def test_pictures_to_refer_to_equal_the_pipelines(self, pipe: Any, weft: Weft) -> None:
        rng = np.random.default_rng(9)
        sizes = ((64, 72), (80, 64))
        shown = [(rng.random((*size, 3)) * 255).astype(np.uint8) for size in sizes]
        theirs = self.latents(
            self.made(pipe, weft, image=[Pillow.fromarray(each) for each in shown])
        )
        latents = [weft.encode(Image(s[None].astype(np.float32) / 255)) for s in shown]
        ours = weft.run(weft.empty(), shown=with_references(latents))
        assert difference(ours, theirs) < TOLERANCE
        for wrong in (latents[::-1], latents[:1], []):
            other = weft.run(weft.empty(), shown=with_references(wrong))
            assert difference(other, theirs) > MARGIN * TOLERANCE

    def test_in_paint_equals_the_pipeline(self, folder: Path, weft: Weft) -> None:
        """Theirs shows the model the picture as a reference, and blends by a mask of greys."""
        pipe = self.pipeline(Flux2KleinInpaintPipeline, folder)
        given = {"image": pixels(), "mask_image": mask_image(), "strength": PAINTED}
        with injected(Flux2KleinInpaintPipeline):
            theirs = self.latents(pipe(**self.told(pipe, weft), **given))
        clean = weft.encode(picture())
        size = clean.samples.shape[-2:]
        grey = torch.nn.functional.interpolate(mask_image(), size=size, mode="bilinear")
        mask = grey[:, 0].numpy()

        def ours(mask: Any, given: Sequence[Latent]) -> torch.Tensor:
            return weft.run(clean.but(mask=mask), 12, 1 - PAINTED, shown=with_references(given))

        assert difference(ours(mask, [clean]), theirs) < TOLERANCE
        for wrong, given in ((1 - mask, [clean]), (mask, [])):
            assert difference(ours(wrong, given), theirs) > MARGIN * TOLERANCE

    def test_image_to_image_goes_on_from_the_noised_picture(self, pipe: Any, weft: Weft) -> None:
        """No pipeline does so: theirs is started at the level, with what is left of the levels."""
        clean = weft.encode(picture())
        denoiser = weft.family.denoiser(weft.refs.model, weft.load, "cpu")
        shape = weft.shape()
        levels = denoiser.process.native(STEPS, denoiser.tokens(shape))[2:]
        start = (1 - levels[0]) * torch.from_numpy(clean.samples.copy())
        start = start + levels[0] * gaussian(12, shape)
        unshifted = type(pipe.scheduler)(shift=1.0, use_dynamic_shifting=False)
        pipe = type(pipe)(**{**pipe.components, "scheduler": unshifted})
        pipe.set_progress_bar_config(disable=True)
        rest = {"num_inference_steps": len(levels), "sigmas": levels}
        theirs = self.latents(self.made(pipe, weft, **rest, latents=start))
        assert difference(weft.run(clean, 12, 1 - STRENGTH), theirs) < TOLERANCE

    @pytest.mark.parametrize("steps", [1, 4, 10, 50, 200])
    @pytest.mark.parametrize("tokens", [16, 4096, 4300, 4301, 9000])
    def test_the_shift_is_the_pipelines(self, tokens: int, steps: int) -> None:
        said = compute_empirical_mu(tokens, steps)
        assert flux2.measured_mu(tokens, steps) == pytest.approx(said, abs=1e-9)

    def test_text_encoding_equals_the_pipeline(self, weft: Weft, pipe: Any) -> None:
        texts = [*PROMPTS, "a long text " * 20]
        with torch.no_grad():
            theirs, _ = pipe.encode_prompt(texts, max_sequence_length=tiny_flux2.TOKENS)
        ours = weft.text(texts).tensors["sequence"]
        assert difference(torch.from_numpy(ours.copy()), theirs) < TOLERANCE

    def test_encoding_equals_the_pipeline(
        self, weft: Weft, pipe: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with torch.no_grad():
            coded = pipe._encode_vae_image(pixels() * 2 - 1, None)

        def ours() -> torch.Tensor:
            return torch.from_numpy(weft.encode(picture()).samples.copy())

        assert difference(ours(), coded) < TOLERANCE
        for name, wrong in (("_mean", 0.0), ("_spread", 1.0)):
            with monkeypatch.context() as patch:
                patch.setattr(flux2, name, lambda vae, value=wrong: value)
                assert difference(ours(), coded) > MARGIN * TOLERANCE

    def test_attention_sees_references_behind_the_image(self, folder: Path, weft: Weft) -> None:
        text = weft.text(["a"])
        denoiser: Any = weft.family.denoiser(weft.refs.model, weft.load, "cpu")
        words = denoiser.prepare([text], 1)["text"].shape[1]
        channels = weft.family.facts(read_folder(folder)).geometry.channels
        picture = Latent(np.zeros((1, channels, 2, 4), np.float32), weft.refs.vae.space)
        denoiser.prepare([reference.add(text, picture)], 1)
        length = words + 20 + 8
        found = denoiser.spans(weft.family.card.sites[0], length, length, 20)
        assert found.text_keys == slice(0, words)
        assert found.image_keys == slice(words, words + 20)
