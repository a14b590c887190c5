from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from backend.sdk import Conditioning, UserError, facts_of
from backend.values import Phase
from nodes.conditioning import encode_text
from nodes.latents import empty_latent
from nodes.loaders import load_model
from nodes.sampling import sample
from nodes.size_conditions import set_size_condition
from tests.backend.models import tiny_sdxl
from tests.nodes.fake_device import FakeDevice

CTX = FakeDevice({})
PLAIN = Conditioning("sdxl", {"sequence": np.ones((1, 2, 3))}, {"guidance": 1.0})


def test_sizes_are_laid_beside_what_was_there() -> None:
    told = set_size_condition(CTX, PLAIN, original_width=640, original_height=320, crop_left=16)
    assert dict(told.params) == {
        "guidance": 1.0, "original_width": 640, "original_height": 320,
        "crop_left": 16, "crop_top": 0, "aesthetic_score": 6.0,
    }  # fmt: skip
    assert np.array_equal(told.tensors["sequence"], PLAIN.tensors["sequence"])
    again = set_size_condition(CTX, told, target_width=64, target_height=64)
    assert "original_width" not in again.params
    assert again.params["target_height"] == 64


def test_later_phases_are_told_too() -> None:
    changing = replace(PLAIN, later=(Phase(0.5, PLAIN),))
    told = set_size_condition(CTX, changing, crop_top=8)
    assert told.later[0].begin == 0.5
    assert told.later[0].conditioning.params["crop_top"] == 8


def test_half_a_size_is_refused() -> None:
    with pytest.raises(UserError, match=r"target size is 64x0\. Give both"):
        set_size_condition(CTX, PLAIN, target_width=64)


def test_its_facts_are_those_of_the_conditioning() -> None:
    facts = set_size_condition.hooks["facts"]
    names = (f"{name}_{side}" for name in ("original", "target") for side in ("width", "height"))
    p = SimpleNamespace(**dict.fromkeys(names, 0))
    assert facts(p, facts_of("Conditioning", space="sdxl", count=2)).count == 2
    assert facts(p, None).type == "Conditioning"
    p.target_width = None  # a link that is not known yet
    assert facts(p, None).type == "Conditioning"


def test_a_model_heeds_sizes_a_score_and_skipped_layers(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    folders = {
        "base": tiny_sdxl.write(tmp_path / "base"),
        "refiner": tiny_sdxl.write_refiner(tmp_path / "refiner"),
    }
    ctx = FakeDevice(folders)

    def made(name: str, clip_skip: int = 0, **sizes: float) -> np.ndarray:
        found = load_model(ctx, name)
        told = encode_text(ctx, found.text_encoder, "a red circle", clip_skip=clip_skip)
        told = set_size_condition(ctx, told, **sizes) if sizes else told
        latent = empty_latent(ctx, found.model, 48, 32)
        return sample(ctx, found.model, told, latent, steps=3, seed=1).samples

    base, refined = made("base"), made("refiner")
    own = {"original_width": 48, "original_height": 32, "target_width": 48, "target_height": 32}
    assert np.array_equal(made("base", **own), base)
    assert np.array_equal(made("base", aesthetic_score=1.0), base)
    for other in ({"crop_left": 8}, {"original_width": 96, "original_height": 64}):
        assert np.abs(made("base", **other) - base).max() > 1e-3
    assert np.abs(made("refiner", aesthetic_score=2.0) - refined).max() > 1e-3
    assert np.abs(made("base", clip_skip=1) - base).max() > 1e-3
    with pytest.raises(UserError, match="clip_skip of this model is 0 to 3, not 9"):
        made("base", clip_skip=9)
