"""Stable Diffusion 1 and 2 beside their parity: what is read from folders, good and bad."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

from backend.catalog.errors import CatalogError
from backend.models.card import Geometry
from backend.models.noise_table import noise_table, process_of, with_class
from backend.models.sd15 import CARD
from backend.models.unet import UnetDenoiser
from backend.values import Conditioning
from tests.backend.models import tiny_sd15
from tests.backend.models.checks import changed, facts_of, known_by
from tests.backend.models.test_peak import measured


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_sd15.write(tmp_path_factory.mktemp("sd15"))


def test_both_versions_are_known_and_share_their_latents(folder: Path, tmp_path: Path) -> None:
    second = tiny_sd15.write_v(tmp_path / "v")
    assert known_by(folder) == known_by(second) == ["sd15"]
    assert facts_of(folder).geometry == Geometry(channels=4, factor=2)
    assert facts_of(folder).latent_space == facts_of(second).latent_space == "sd15"
    assert facts_of(folder).defaults.width == 32


def test_a_vae_that_does_not_say_its_scaling_has_the_usual_one(
    folder: Path, tmp_path: Path
) -> None:
    older = changed(folder, tmp_path / "older", "vae/config.json")
    config = json.loads((older / "vae/config.json").read_text())
    del config["scaling_factor"]
    (older / "vae/config.json").write_text(json.dumps(config))
    assert facts_of(older).latent_space == "sd15"


def test_the_real_encoders_give_the_shared_text_spaces(folder: Path, tmp_path: Path) -> None:
    for number, (width, space) in enumerate(((768, "sd15"), (1024, "sd2"))):
        text = changed(
            folder, tmp_path / f"t{number}", "text_encoder/config.json", hidden_size=width
        )
        net = {"cross_attention_dim": width}
        whole = changed(text, tmp_path / f"u{number}", "unet/config.json", **net)
        assert facts_of(whole).text_space == space


SCHEDULER = "scheduler/scheduler_config.json"
BAD: list[tuple[str, dict[str, Any], str]] = [
    ("unet/config.json", {"in_channels": 5}, "takes 5 channels, but the VAE makes 4"),
    ("unet/config.json", {"cross_attention_dim": 1024}, "1024 numbers.*make 32"),
    ("unet/config.json", {"class_embed_type": "projection"}, "class_embed_type 'projection'"),
    ("unet/config.json", {"attention_type": "gated"}, "attention_type 'gated'"),
    ("unet/config.json", {"addition_embed_type": "text"}, "addition_embed_type 'text'"),
    ("tokenizer/tokenizer_config.json", {"model_max_length": 30}, "30 tokens.*places for 24"),
    ("vae/config.json", {"scaling_factor": "some"}, "holds a value"),
    (SCHEDULER, {"num_train_timesteps": 1}, "between 0 and 1"),
    ("model_index.json", {"scheduler": ["diffusers", "LCMScheduler"]}, "LCMScheduler"),
    ("model_index.json", {"text_encoder": ["transformers", "BertModel"]}, "of no family"),
]


@pytest.mark.parametrize(("file", "values", "said"), BAD)
def test_components_that_do_not_fit_are_named_before_loading(
    file: str, values: dict[str, Any], said: str, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(CatalogError, match=said):
        facts_of(changed(folder, tmp_path / "bad", file, **values))


@pytest.mark.parametrize(("width", "side"), [(32, 32), (64, 32)])
def test_a_call_needs_what_the_formula_says(width: int, side: int) -> None:
    net = UNet2DConditionModel(
        block_out_channels=(width, 2 * width, 4 * width, 4 * width),
        cross_attention_dim=64,
        norm_num_groups=8,
    ).eval()
    settings = with_class(tiny_sd15.TRAINED, "PNDMScheduler")
    rest = (process_of(settings), noise_table(settings), CARD.geometry, "cpu")
    denoiser = UnetDenoiser(net, *rest)
    ready = denoiser.prepare([Conditioning("x", {"sequence": np.zeros((1, 20, 64))})], 2)
    said = CARD.peak.token_widths * width * 4 * side * side * 2
    found = measured(net, lambda: denoiser(torch.zeros(2, 4, side, side), 1.0, ready))
    assert 0.9 < found / said < 1.1
