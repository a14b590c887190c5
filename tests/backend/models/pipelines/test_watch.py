"""Progress, preview and cancel, with a callback and without."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from backend.models.pipelines.classes import pipeline_class
from backend.models.pipelines.watch import means_of, unpacked
from backend.sdk import Cancelled
from tests.backend.models.pipelines.bench import Bench, array_of, through_node
from tests.backend.models.pipelines.zoo import ZOO

MEANS = {
    "StableDiffusionXLPipeline": "callback",
    "LTXPipeline": "callback",
    "StableVideoDiffusionPipeline": "callback",
    "PixArtSigmaPipeline": "hooks",
    "StableAudioPipeline": "hooks",
    "LongCatImagePipeline": "hooks",
}


@pytest.mark.parametrize("name", MEANS)
def test_every_step_is_told(name: str, tmp_path: Path) -> None:
    animal = ZOO[name]
    bench = Bench(animal.write(tmp_path / "model"), tmp_path / "spool")
    through_node(animal, bench, steps=4)
    count = animal.wish.get("count", 1)
    fractions = [done / total for done, total in bench.done]
    assert means_of(pipeline_class(name, "here")) == MEANS[name]
    assert fractions == sorted(set(fractions))
    assert len(fractions) >= 4 * count
    assert fractions[-1] == 1
    shows = animal.task != "audio" and name != "LTXPipeline"  # these latents are no picture
    assert len(bench.previews) == (len(fractions) if shows else 0)


@pytest.mark.parametrize("name", MEANS)
def test_a_cancel_at_step_2_of_50_ends_before_step_4(name: str, tmp_path: Path) -> None:
    animal = ZOO[name]
    folder = animal.write(tmp_path / "model")
    bench = Bench(folder, tmp_path / "spool", cancel_at_step=2)
    with pytest.raises(Cancelled):
        through_node(animal, bench, steps=50)
    assert 2 <= len(bench.done) < 4
    assert list((tmp_path / "spool").glob("*.frames")) == []
    # What was cancelled leaves nothing behind: the same components give what fresh ones give.
    bench.cancel_at, bench.cancel_at_step = -1, -1
    after = array_of(through_node(animal, bench))
    fresh = array_of(through_node(animal, Bench(folder, tmp_path / "spool")))
    assert np.array_equal(after, fresh)


def test_a_cancel_is_seen_while_texts_are_read_and_while_a_picture_is_decoded(
    tmp_path: Path,
) -> None:
    """Each may take as long as all steps: a language model that writes, a codec with tiles."""
    animal = ZOO["StableDiffusionXLPipeline"]
    folder = animal.write(tmp_path / "model")
    bench = Bench(folder, tmp_path / "spool")
    through_node(animal, bench, count=1)
    steps, checks = len(bench.done), bench.checks
    early, late = (Bench(folder, tmp_path / "spool") for _ in range(2))
    early.cancel_at, late.cancel_at = 2, checks
    for cancelled in (early, late):
        with pytest.raises(Cancelled):
            through_node(animal, cancelled, count=1)
    # Two texts for each of two encoders, each step and its call, and the decoder.
    assert checks >= 4 + 2 * steps + 1
    assert (len(early.done), len(late.done)) == (0, steps)


def test_a_cancel_is_seen_between_two_calls_of_the_denoiser(tmp_path: Path) -> None:
    """A step of a large model takes long, so each call asks before it begins."""
    animal = ZOO["StableDiffusionXLPipeline"]
    bench = Bench(animal.write(tmp_path / "model"), tmp_path / "spool")
    bench.cancel_at = 1
    with pytest.raises(Cancelled):
        through_node(animal, bench)
    assert bench.done == []  # not even the first step was computed


@pytest.mark.parametrize(("width", "height", "shown"), [(48, 32, (8, 12)), (0, 0, (8, 8))])
def test_packed_latents_are_shown_in_the_shape_of_the_picture(
    width: int, height: int, shown: tuple[int, int], tmp_path: Path
) -> None:
    animal = ZOO["QwenImageEditPipeline"]
    bench = Bench(animal.write(tmp_path / "model"), tmp_path / "spool")
    through_node(animal, bench, width=width, height=height)
    (first, *_) = bench.previews
    sides = first.pixels.shape[1:3]
    assert sides[0] * shown[1] == sides[1] * shown[0]


def test_rows_of_packed_latents_lie_below_each_other() -> None:
    from diffusers import FluxPipeline

    class Packing:
        vae_scale_factor = 8
        _unpack_latents = staticmethod(FluxPipeline._unpack_latents)

    plane = torch.arange(6.0 * 4 * 16).reshape(1, 16, 6, 4)
    packed = FluxPipeline._pack_latents(plane, 1, 16, 6, 4)
    assert torch.equal(unpacked(Packing(), packed, 6 / 4), plane)
    assert unpacked(Packing(), packed[:, :5], 6 / 4) is None
    assert unpacked(SimpleNamespace(), packed, 1.0) is None
