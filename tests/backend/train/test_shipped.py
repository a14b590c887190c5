"""The model in resources: it loads in diffusers, has the promised size, and does its job."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from backend.train.export import weight_bytes  # noqa: E402
from backend.train.figures import held_captions, scene_figures, scorer_figures  # noqa: E402
from backend.train.generate import load, with_pipeline  # noqa: E402
from backend.train.measure import vae_report  # noqa: E402
from backend.train.text import clip_tokenizer, t5_tokenizer  # noqa: E402
from backend.train.vae import round_trip  # noqa: E402

MODEL = Path(__file__).parents[3] / "resources" / "models" / "primer"


@pytest.fixture(scope="module")
def pipeline():  # type: ignore[no-untyped-def]  # a FluxPipeline
    return load(MODEL, torch.device("cpu"))


def test_the_folder_is_the_ordinary_one() -> None:
    index = json.loads((MODEL / "model_index.json").read_text())
    assert index["_class_name"] == "FluxPipeline"
    assert weight_bytes(MODEL) < 25e6
    assert not [p for p in MODEL.rglob("*") if p.suffix in (".bin", ".pt", ".pkl", ".part")]
    for path in MODEL.rglob("*.json"):
        words = path.read_text()
        assert "/tmp" not in words, path
        assert "/work" not in words, path


def test_its_tokenizers_are_the_ones_made_here(pipeline) -> None:  # type: ignore[no-untyped-def]
    assert pipeline.tokenizer.get_vocab() == clip_tokenizer(32).get_vocab()
    assert pipeline.tokenizer_2.get_vocab() == t5_tokenizer(32).get_vocab()


def test_the_vae_keeps_the_picture_and_standard_latents(pipeline) -> None:  # type: ignore[no-untyped-def]
    report = vae_report(pipeline.vae, 80, 123)
    assert report["psnr_mean"] >= 32
    # Backgrounds alone move a small sample's deviation; 200 scenes have 0.984.
    assert abs(report["latent_std"] - 1) <= 0.06
    assert abs(report["latent_mean"]) <= 0.05


def test_the_scorer_holds_after_the_vae(pipeline) -> None:  # type: ignore[no-untyped-def]
    figures = scorer_figures(
        60, 77, lambda drawn: round_trip(pipeline.vae, np.stack([s.pixels for s in drawn]))
    )
    assert figures.true.right >= 58
    assert all(rate.right >= 58 for rate in figures.refused.values())


def test_it_draws_what_held_out_captions_say(pipeline) -> None:  # type: ignore[no-untyped-def]
    """24 pictures; a model at the published rate falls below this once in a million runs."""
    captions = held_captions(5, 24)
    figures = scene_figures(with_pipeline(pipeline)(captions, 5), captions)
    assert figures.scene.right >= 15, figures
    assert figures.kinds["background"].right >= 22
