"""Flux against diffusers' pipelines: the same latents in, the same latents out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.autoencoders import vae as diffusers_vae
from diffusers.pipelines.flux import (
    pipeline_flux,
    pipeline_flux_img2img,
    pipeline_flux_inpaint,
)

from backend.catalog.folder import read_folder
from backend.diffusion import inpaint, sample
from backend.diffusion.noise import gaussian, sample_seed
from backend.diffusion.shift import Shift
from backend.models import flux, kl, patches2x2
from backend.models.codec import Scaling
from backend.models.family import References, families, recognise, references
from backend.models.patches2x2 import image_ids, pack, unpack
from backend.models.store import Store
from backend.values import Guider, Image, Latent, Noise, Schedule, Solver, Term
from tests.backend.models.parity import difference

TOLERANCE = 1e-4
MARGIN = 20
WIDTH, HEIGHT = 40, 24
PROMPTS = ["a red circle left of a blue square", "two dogs"]
NEGATIVE = ["blurry", "a very ugly and grey picture"]
STEPS = 7


@dataclass
class Weft:
    """Weft's own path from texts and pictures to latents, on one model folder."""

    refs: References
    store: Store

    @classmethod
    def of(cls, path: Path) -> Weft:
        folder = read_folder(path)
        family = recognise(folder, families())
        return cls(references(folder, family), Store(families(), 2**30))

    def load(self, weights: Any) -> Any:
        return self.store.get(weights, "cpu")

    def run(self, latent: Latent, seed: int, cfg: float, start: float = 0.0,
            guidance: float = 3.5, prompts: list[str] = PROMPTS,
            negative: list[str] = NEGATIVE) -> torch.Tensor:  # fmt: skip
        family = flux.FAMILY
        options = {"guidance": guidance}
        terms = [
            Term(role, family.encode_text(self.refs.text, texts, options, self.load, "cpu"))
            for role, texts in (("positive", prompts), ("negative", negative))
        ]
        result = sample.sample(
            family.denoiser(self.refs.model, self.load, "cpu"),
            Guider("cfg", {"cfg": cfg}, self.refs.model, tuple(terms)),
            Solver("euler"),
            Schedule("native", steps=STEPS, start=start),
            Noise("gaussian", seed=seed),
            latent,
        )
        return torch.from_numpy(result.samples.copy())

    def encode(self, image: Image, seed: int | None = None) -> Latent:
        return flux.FAMILY.encode_image(self.refs.vae, image, self.load, "cpu", seed)

    def empty(self, count: int = 2) -> Latent:
        return Latent(np.zeros((count, 4, HEIGHT // 2, WIDTH // 2), np.float32), "any")


def picture(count: int = 2) -> Image:
    rng = np.random.default_rng(5)
    return Image(rng.random((count, HEIGHT, WIDTH, 3), dtype=np.float32))


def pipeline(kind: Any, path: Path) -> Any:
    pipe = kind.from_pretrained(str(path), local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    return pipe


COMMON: dict[str, Any] = {
    "prompt": PROMPTS,
    "negative_prompt": NEGATIVE,
    "true_cfg_scale": 3.0,
    "guidance_scale": 3.5,
    "width": WIDTH,
    "height": HEIGHT,
    "num_inference_steps": STEPS,
    "output_type": "latent",
    "max_sequence_length": 24,
}


def unpacked(result: Any) -> torch.Tensor:
    return unpack(result.images, HEIGHT // 2, WIDTH // 2)


@pytest.fixture(scope="module")
def weft(flux_folder: Path) -> Weft:
    return Weft.of(flux_folder)


@pytest.fixture(scope="module")
def text_to_image(flux_folder: Path) -> torch.Tensor:
    pipe = pipeline(pipeline_flux.FluxPipeline, flux_folder)
    noise = gaussian(3, (2, 4, HEIGHT // 2, WIDTH // 2))
    return unpacked(pipe(**COMMON, latents=pack(noise)))


@pytest.fixture(scope="module")
def injected() -> Iterator[None]:
    """Posterior samples from seed 11 and noise from seed 12, in every pipeline that draws them."""
    patch = pytest.MonkeyPatch()
    patch.setattr(diffusers_vae, "randn_tensor", lambda shape, **_: gaussian(11, shape))
    for module in (pipeline_flux_img2img, pipeline_flux_inpaint):
        patch.setattr(module, "randn_tensor", lambda shape, **_: gaussian(12, shape))
    yield
    patch.undo()


def pixels() -> torch.Tensor:
    return torch.from_numpy(picture().pixels.copy()).permute(0, 3, 1, 2)


def coverage() -> np.ndarray[Any, np.dtype[np.float32]]:
    mask = np.zeros((2, HEIGHT, WIDTH), np.float32)
    mask[0, 5:17, 9:31] = 1
    mask[1, :, 20:] = 1
    return mask


@pytest.fixture(scope="module")
def image_to_image(flux_folder: Path, injected: None) -> torch.Tensor:
    pipe = pipeline(pipeline_flux_img2img.FluxImg2ImgPipeline, flux_folder)
    return unpacked(pipe(**COMMON, image=pixels(), strength=0.6))


@pytest.fixture(scope="module")
def in_paint(flux_folder: Path, injected: None) -> torch.Tensor:
    pipe = pipeline(pipeline_flux_inpaint.FluxInpaintPipeline, flux_folder)
    mask = torch.from_numpy(coverage())[:, None]
    return unpacked(pipe(**COMMON, image=pixels(), mask_image=mask, strength=0.8))


def masked(weft: Weft) -> Latent:
    latent = weft.encode(picture(), seed=11)
    return latent.but(mask=inpaint.latent_mask(coverage(), HEIGHT // 2, WIDTH // 2))


def test_text_to_image_equals_the_pipeline(weft: Weft, text_to_image: torch.Tensor) -> None:
    assert difference(weft.run(weft.empty(), 3, 3.0), text_to_image) < TOLERANCE


def test_image_to_image_equals_the_pipeline(weft: Weft, image_to_image: torch.Tensor) -> None:
    ours = weft.run(weft.encode(picture(), seed=11), 12, 3.0, start=1 - 0.6)
    assert difference(ours, image_to_image) < TOLERANCE


def test_in_paint_equals_the_pipeline(weft: Weft, in_paint: torch.Tensor) -> None:
    ours = weft.run(masked(weft), 12, 3.0, start=1 - 0.8)
    assert difference(ours, in_paint) < TOLERANCE


def test_a_model_without_embedded_guidance_and_with_a_static_shift(plain_folder: Path) -> None:
    pipe = pipeline(pipeline_flux.FluxPipeline, plain_folder)
    noise = gaussian(3, (2, 4, HEIGHT // 2, WIDTH // 2))
    theirs = unpacked(pipe(**COMMON, latents=pack(noise)))
    plain = Weft.of(plain_folder)
    assert difference(plain.run(plain.empty(), 3, 3.0), theirs) < TOLERANCE


def test_text_encoding_equals_the_pipeline(weft: Weft, flux_folder: Path) -> None:
    pipe = pipeline(pipeline_flux.FluxPipeline, flux_folder)
    with torch.no_grad():
        sequence, pooled, _ = pipe.encode_prompt(PROMPTS, max_sequence_length=24)
    ours = flux.FAMILY.encode_text(weft.refs.text, PROMPTS, {}, weft.load, "cpu")
    assert difference(torch.from_numpy(ours.tensors["sequence"].copy()), sequence) < TOLERANCE
    assert difference(torch.from_numpy(ours.tensors["pooled"].copy()), pooled) < TOLERANCE


def test_decoding_equals_the_pipeline(weft: Weft, flux_folder: Path) -> None:
    pipe = pipeline(pipeline_flux.FluxPipeline, flux_folder)
    noise = gaussian(3, (2, 4, HEIGHT // 2, WIDTH // 2))
    options = {**COMMON, "output_type": "np"}
    theirs = pipe(**options, latents=pack(noise)).images
    latent = weft.empty().but(samples=weft.run(weft.empty(), 3, 3.0).numpy())
    ours = flux.FAMILY.decode_latent(weft.refs.vae, latent, weft.load, "cpu").pixels
    assert difference(torch.from_numpy(ours.copy()), torch.from_numpy(theirs)) < TOLERANCE


def test_a_batch_equals_its_samples_alone(weft: Weft) -> None:
    both = weft.run(weft.empty(), 3, 3.0)
    for index in range(2):
        one = slice(index, index + 1)
        alone = weft.run(
            weft.empty(1), sample_seed(3, index), 3.0, prompts=PROMPTS[one], negative=NEGATIVE[one]
        )
        assert difference(alone, both[one]) < TOLERANCE


def test_one_text_serves_a_whole_batch(weft: Weft) -> None:
    one = weft.run(weft.empty(), 3, 3.0, prompts=PROMPTS[:1], negative=NEGATIVE[:1])
    same = weft.run(weft.empty(), 3, 3.0, prompts=PROMPTS[:1] * 2, negative=NEGATIVE[:1] * 2)
    assert torch.equal(one, same)


Patch = Callable[[pytest.MonkeyPatch], None]


def _swap_ids(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(patches2x2, "image_ids", lambda r, c: image_ids(r, c)[:, [0, 2, 1]])


def _no_pooled(patch: pytest.MonkeyPatch) -> None:
    right = flux.FluxDenoiser.prepare

    def prepare(self: Any, given: Any, count: int) -> Any:
        ready = right(self, given, count)
        return {**ready, "pooled_projections": ready["pooled_projections"] * 0}

    patch.setattr(flux.FluxDenoiser, "prepare", prepare)


def _static_shift(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(flux, "flow_shift", lambda settings: Shift("static", 3.0))


def _late_end(patch: pytest.MonkeyPatch) -> None:
    right = sample.sigmas
    patch.setattr(sample, "sigmas", lambda *a: [*right(*a)[:-1], 0.02])


def _wrong_grid(patch: pytest.MonkeyPatch) -> None:
    """Even levels from 1 to 0.001 instead of to 1/steps."""
    right = flux.Process
    grid = lambda n: np.linspace(1, 0.001, n).tolist()  # noqa: E731
    patch.setattr(flux, "Process", lambda *a, **k: replace(right(*a, **k), grid=grid))


def _patch_order(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(patches2x2, "pack", lambda x: pack(x.transpose(2, 3)).contiguous())


def _one_length(patch: pytest.MonkeyPatch) -> None:
    right = flux.token_ids
    patch.setattr(
        flux, "token_ids", lambda tokenizer, texts, length, net: right(tokenizer, texts, 12, net)
    )


MISTAKES: dict[str, Patch] = {
    "image positions with rows and columns swapped": _swap_ids,
    "no pooled text": _no_pooled,
    "static instead of dynamic shift": _static_shift,
    "last level not 0": _late_end,
    "levels down to 0.001 instead of 1/steps": _wrong_grid,
    "patches read in the other order": _patch_order,
    "texts cut at half the length": _one_length,
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_far_off(
    name: str, weft: Weft, text_to_image: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    MISTAKES[name](monkeypatch)
    ours = weft.run(weft.empty(), 3, 3.0)
    assert difference(ours, text_to_image) > MARGIN * TOLERANCE


@pytest.mark.parametrize(
    "changed", [{"cfg": 3.3}, {"guidance": 4.5}, {"prompts": PROMPTS[::-1]}, {"seed": 4}]
)
def test_wrong_settings_are_far_off(
    changed: dict[str, Any], weft: Weft, text_to_image: torch.Tensor
) -> None:
    settings = {"seed": 3, "cfg": 3.0, **changed}
    assert difference(weft.run(weft.empty(), **settings), text_to_image) > MARGIN * TOLERANCE


def test_an_unscaled_vae_is_far_off(
    weft: Weft, image_to_image: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for scaling in ((1.0, 0.15), (0.7, 0.0)):
        monkeypatch.setattr(kl, "scaling_of", lambda config, s=scaling: Scaling(*s))
        ours = weft.run(weft.encode(picture(), seed=11), 12, 3.0, start=1 - 0.6)
        assert difference(ours, image_to_image) > MARGIN * TOLERANCE


def test_wrong_starts_are_far_off(weft: Weft, image_to_image: torch.Tensor) -> None:
    encoded = weft.encode(picture(), seed=11)
    for latent, start in ((encoded, 1 - 0.75), (weft.encode(picture()), 1 - 0.6)):
        ours = weft.run(latent, 12, 3.0, start=start)
        assert difference(ours, image_to_image) > MARGIN * TOLERANCE


def test_wrong_mask_rules_are_far_off(
    weft: Weft, in_paint: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    latent = masked(weft)
    assert latent.mask is not None
    for wrong in (1 - latent.mask, np.ones_like(latent.mask), np.roll(latent.mask, 1, axis=2)):
        ours = weft.run(latent.but(mask=wrong), 12, 3.0, start=1 - 0.8)
        assert difference(ours, in_paint) > MARGIN * TOLERANCE

    def clean(start: Any, mask: torch.Tensor) -> Any:
        return lambda x, sigma, left: (1 - mask[:, None]) * start.original + mask[:, None] * x

    monkeypatch.setattr(sample, "keep", clean)
    ours = weft.run(latent, 12, 3.0, start=1 - 0.8)
    assert difference(ours, in_paint) > MARGIN * TOLERANCE
