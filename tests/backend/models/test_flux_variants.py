"""FLUX.1 Kontext and Fill against diffusers' pipelines, and what they are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.transformers.transformer_flux import FluxTransformer2DModel
from diffusers.pipelines.flux import pipeline_flux_fill, pipeline_flux_kontext

from backend.diffusion.around import Moment
from backend.diffusion.errors import DiffusionError
from backend.models import fill, flux, patches2x2, reference
from backend.models.patches2x2 import pack
from backend.models.seams.sites import Attention, Spans, on_attention
from backend.values import Image
from tests.backend.models import tiny
from tests.backend.models.checks import changed, facts_of, known_by
from tests.backend.models.packed import unpacked
from tests.backend.models.parity import (
    HEIGHT,
    MARGIN,
    NEGATIVE,
    PROMPTS,
    STEPS,
    TOLERANCE,
    WIDTH,
    Shown,
    Weft,
    coverage,
    difference,
    injected,
    mask_image,
    picture,
    pipeline,
    pixels,
    with_hole,
)

COMMON: dict[str, Any] = {
    "prompt": PROMPTS,
    "guidance_scale": 3.5,
    "width": WIDTH,
    "height": HEIGHT,
    "num_inference_steps": STEPS,
    "output_type": "latent",
    "max_sequence_length": tiny.TOKENS,
}
OTHER = Image(np.random.default_rng(8).random((2, 32, 20, 3), dtype=np.float32))
"""A reference of other sides than the picture that is made."""


@pytest.fixture(scope="module")
def kontext(flux_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("kontext") / "model"
    return changed(flux_folder, to, "model_index.json", _class_name="FluxKontextPipeline")


@pytest.fixture(scope="module")
def filling(flux_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("fill") / "model"
    folder = changed(flux_folder, to, "model_index.json", _class_name="FluxFillPipeline")
    net = tiny.transformer(True)
    wide = FluxTransformer2DModel(**{**net.config, "in_channels": 48, "out_channels": 16})
    tiny.shake(wide, 1).save_pretrained(folder / "transformer")
    return folder


def of(folder: Path) -> Weft:
    return Weft.of(folder, options={role: {"guidance": 3.5} for role in ("positive", "negative")})


def run(weft: Weft, shown: Shown, cfg: float = 1.0) -> torch.Tensor:
    """A run on texts that each are shown something."""
    return weft.run(weft.empty(), cfg=cfg, shown=shown)


def with_reference(weft: Weft, image: Image = OTHER) -> Shown:
    latent = weft.encode(image)
    return lambda role, text: reference.add(text, latent)


@pytest.fixture(scope="module")
def edited(kontext: Path) -> torch.Tensor:
    weft = of(kontext)
    pipe = pipeline(pipeline_flux_kontext.FluxKontextPipeline, kontext)
    given = torch.from_numpy(OTHER.pixels.copy()).permute(0, 3, 1, 2)
    return unpacked(
        pipe(
            **COMMON,
            negative_prompt=NEGATIVE,
            true_cfg_scale=3.0,
            image=given,
            latents=pack(weft.noise()),
            max_area=WIDTH * HEIGHT,
            _auto_resize=False,
        )
    )


@pytest.fixture(scope="module")
def filled(filling: Path) -> torch.Tensor:
    pipe = pipeline(pipeline_flux_fill.FluxFillPipeline, filling)
    noise = pack(of(filling).noise())
    with injected():
        return unpacked(pipe(**COMMON, image=pixels(), mask_image=mask_image(), latents=noise))


def test_kontext_equals_the_pipeline(kontext: Path, edited: torch.Tensor) -> None:
    weft = of(kontext)
    assert difference(run(weft, with_reference(weft), cfg=3.0), edited) < TOLERANCE


def test_fill_equals_the_pipeline(filling: Path, filled: torch.Tensor) -> None:
    weft = of(filling)
    assert difference(run(weft, with_hole(weft, coverage())), filled) < TOLERANCE


def _same_picture(patch: pytest.MonkeyPatch) -> None:
    """The reference's tokens at the places of the image's."""
    right = patches2x2.image_ids

    class Fixed(torch.Tensor):
        def __setitem__(self, *_: Any) -> None:
            return None

    patch.setattr(patches2x2, "image_ids", lambda r, c: right(r, c).as_subclass(Fixed))


def _mirrored(patch: pytest.MonkeyPatch) -> None:
    right = reference.gathered
    patch.setattr(reference, "gathered", lambda *a: [r.flip(-1).contiguous() for r in right(*a)])


@pytest.mark.parametrize("lay", [_same_picture, _mirrored])
def test_mistakes_with_references_are_far_off(
    lay: Callable[[pytest.MonkeyPatch], None],
    kontext: Path,
    edited: torch.Tensor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weft = of(kontext)
    lay(monkeypatch)
    assert difference(run(weft, with_reference(weft), 3.0), edited) > MARGIN * TOLERANCE


def test_wrong_references_are_far_off(kontext: Path, edited: torch.Tensor) -> None:
    weft = of(kontext)
    once, swapped = with_reference(weft), with_reference(weft, Image(OTHER.pixels[::-1].copy()))
    twice: Shown = lambda role, text: once(role, once(role, text))  # noqa: E731
    for shown in (lambda role, text: text, twice, swapped):
        assert difference(run(weft, shown, 3.0), edited) > MARGIN * TOLERANCE


def test_wrong_holes_are_far_off(
    filling: Path, filled: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    weft = of(filling)
    latent = weft.encode(picture(), seed=11)
    whole: Shown = lambda role, text: fill.add(text, latent, coverage())  # noqa: E731
    moved = np.roll(coverage(), 1, axis=2)
    for shown in (whole, with_hole(weft, moved), with_hole(weft, 1 - coverage())):
        assert difference(run(weft, shown), filled) > MARGIN * TOLERANCE
    right = torch.nn.functional.pixel_unshuffle
    monkeypatch.setattr(torch.nn.functional, "pixel_unshuffle", lambda x, f: right(x, f).flip(1))
    assert difference(run(weft, with_hole(weft, coverage())), filled) > MARGIN * TOLERANCE


def test_the_variants_are_known(kontext: Path, filling: Path, flux_folder: Path) -> None:
    assert known_by(kontext) == known_by(filling) == ["flux"]
    facts = [facts_of(each) for each in (flux_folder, kontext, filling)]
    assert [f.capabilities & {"references", "fill"} for f in facts] == [
        set(), {"references"}, {"fill"},
    ]  # fmt: skip
    assert [f.defaults.guidance for f in facts] == [3.5, 2.5, 30.0]
    assert len({f.latent_space for f in facts}) == len({f.text_space for f in facts}) == 1


def test_what_a_model_cannot_see_is_refused(kontext: Path, filling: Path) -> None:
    ours, other = of(kontext), of(filling)
    text = ours.family.encode_text(ours.refs.text, ["a"], {}, ours.load, "cpu")
    plain = ours.family.denoiser(ours.refs.model, ours.load, "cpu")
    fills = other.family.denoiser(other.refs.model, other.load, "cpu")
    latent = other.encode(fill.with_hole(picture(1), coverage()[:1]), seed=11)
    held = fill.add(text, latent, coverage()[:1])
    with pytest.raises(DiffusionError, match="no in-paint model"):
        plain.prepare([held], 1)
    with pytest.raises(DiffusionError, match="needs to see the picture to be filled"):
        fills.prepare([text], 1)
    with pytest.raises(DiffusionError, match="has 20x12 cells, the latent 12x12"):
        fills(torch.zeros(1, 4, 12, 12), 0.5, fills.prepare([held], 1))
    foreign = reference.add(text, ours.empty(1).but(samples=np.zeros((1, 16, 4, 4), np.float32)))
    with pytest.raises(DiffusionError, match="16 channels of 4x4 cells; Flux takes 4"):
        plain.prepare([foreign], 1)
    cut = replace(held, tensors={**held.tensors, fill.MASK: held.tensors[fill.MASK][:, :20]})
    with pytest.raises(DiffusionError, match="same size"):
        fills.prepare([cut], 1)


def test_attention_sees_references_behind_the_image(kontext: Path) -> None:
    weft = of(kontext)
    text = weft.family.encode_text(weft.refs.text, ["a"], {}, weft.load, "cpu")
    told = with_reference(weft, Image(OTHER.pixels[:1]))("positive", text)
    denoiser: Any = weft.family.denoiser(weft.refs.model, weft.load, "cpu")
    x, ready = torch.ones(1, 4, 4, 6), denoiser.prepare([told], 1)
    plain, seen = denoiser(x, 0.5, ready), set()

    def hook(call: Attention) -> torch.Tensor:
        image = call.spans.image_keys
        seen.add((call.site.name, image.start, image.stop, call.key.shape[2]))
        assert call.spans == Spans(slice(0, 24), image, slice(0, 24), image)
        return call.attend()

    around = on_attention(weft.load(weft.refs.model), flux.CARD, hook, denoiser.spans)
    with around(Moment(0.5, 0, 1, (1, 4, 4, 6), (), 1, denoiser.tokens(x.shape))):
        assert torch.equal(denoiser(x, 0.5, ready), plain)
    assert seen == {("double", 24, 30, 70), ("single", 24, 30, 70)}
