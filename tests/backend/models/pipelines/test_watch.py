"""Progress, preview and cancel, with a callback and without."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backend.models.pipelines.classes import pipeline_class
from backend.models.pipelines.watch import means_of
from backend.sdk import Cancelled
from tests.backend.models.pipelines.bench import Bench, array_of, through_node
from tests.backend.models.pipelines.zoo import ZOO

MEANS = {
    "StableDiffusionXLPipeline": "callback",
    "LTXPipeline": "callback",
    "StableVideoDiffusionPipeline": "callback",
    "PixArtSigmaPipeline": "hooks",
    "StableAudioPipeline": "hooks",
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


def test_a_cancel_is_seen_between_two_calls_of_the_denoiser(tmp_path: Path) -> None:
    """A step of a large model takes long, so each call asks before it begins."""
    animal = ZOO["StableDiffusionXLPipeline"]
    bench = Bench(animal.write(tmp_path / "model"), tmp_path / "spool")
    bench.cancel_at = 1
    with pytest.raises(Cancelled):
        through_node(animal, bench)
    assert bench.done == []  # not even the first step was computed
