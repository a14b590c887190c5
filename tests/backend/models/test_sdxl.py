"""SDXL beside its parity: what is read from a folder, and what bad folders are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

from backend.catalog.errors import CatalogError
from backend.diffusion.errors import DiffusionError
from backend.models.card import Geometry
from backend.models.noise_table import noise_table, process_of, with_class
from backend.models.numerics import compute_dtype
from backend.models.sdxl import CARD
from backend.models.seams.sites import layers_of
from backend.models.unet import UnetDenoiser
from backend.values import Conditioning
from tests.backend.models import tiny_sdxl
from tests.backend.models.checks import changed, facts_of, known_by
from tests.backend.models.parity import Weft
from tests.backend.models.test_peak import measured


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_sdxl.write(tmp_path_factory.mktemp("sdxl"))


@pytest.fixture(scope="module")
def refiner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_sdxl.write_refiner(tmp_path_factory.mktemp("refiner"))


def test_base_and_refiner_are_known_and_share_their_latents(folder: Path, refiner: Path) -> None:
    assert known_by(folder) == known_by(refiner) == ["sdxl"]
    base, second = facts_of(folder), facts_of(refiner)
    assert base.geometry == second.geometry == Geometry(channels=4, factor=2)
    assert (base.width, base.vae_width, base.defaults.width) == (32, 8, 32)
    assert base.latent_space == second.latent_space == "sdxl"
    assert base.text_space != second.text_space
    assert "aesthetic score" in second.capabilities - base.capabilities


def test_the_real_encoders_give_the_shared_text_spaces(
    folder: Path, refiner: Path, tmp_path: Path
) -> None:
    first = changed(folder, tmp_path / "a", "text_encoder/config.json", hidden_size=768)
    net = {"cross_attention_dim": 768 + 48}
    assert facts_of(changed(first, tmp_path / "b", "unet/config.json", **net)).text_space == "sdxl"
    large = {"hidden_size": 1280, "num_hidden_layers": 32}
    second = changed(refiner, tmp_path / "c", "text_encoder_2/config.json", **large)
    whole = changed(second, tmp_path / "d", "unet/config.json", cross_attention_dim=1280)
    assert facts_of(whole).text_space == "sdxl_refiner"


SCHEDULER = "scheduler/scheduler_config.json"
BAD: list[tuple[str, dict[str, Any], str]] = [
    ("unet/config.json", {"in_channels": 8}, "takes 8 channels, but the VAE makes 4"),
    ("unet/config.json", {"cross_attention_dim": 96}, "text vectors of 96 numbers.*make 80"),
    ("unet/config.json", {"projection_class_embeddings_input_dim": 64}, "room for 4 sizes"),
    ("unet/config.json", {"addition_embed_type": None}, "addition_embed_type None"),
    ("unet/config.json", {"time_cond_proj_dim": 256}, "time_cond_proj_dim 256"),
    ("unet/config.json", {"block_out_channels": "wide"}, "holds a value"),
    ("text_encoder/config.json", {"hidden_size": 64}, "encoders make 112"),
    ("text_encoder/config.json", {"hidden_size": None}, "holds a value"),
    ("tokenizer_2/tokenizer_config.json", {"model_max_length": 77}, "77 tokens.*places for 24"),
    ("vae/config.json", {"scaling_factor": 0}, "above 0"),
    ("vae/config.json", {"latent_channels": 16}, "takes 4 channels, but the VAE makes 16"),
    (SCHEDULER, {"prediction_type": "flow_prediction"}, "prediction_type 'flow_prediction'"),
    (SCHEDULER, {"beta_schedule": "steep"}, "beta_schedule 'steep'"),
    (SCHEDULER, {"timestep_spacing": "wild"}, "timestep_spacing 'wild'"),
    (SCHEDULER, {"timestep_type": "continuous"}, "timestep_type 'continuous'"),
    (SCHEDULER, {"sigma_max": 12.0}, "only one of sigma_min and sigma_max"),
    (SCHEDULER, {"beta_start": "low"}, "holds a value"),
    (SCHEDULER, {"trained_betas": [0.1, 2.0]}, "between 0 and 1"),
    ("model_index.json", {"scheduler": ["diffusers", "EDMEulerScheduler"]}, "EDMEulerScheduler"),
    ("model_index.json", {"text_encoder_2": ["transformers", "T5EncoderModel"]}, "of no family"),
]


@pytest.mark.parametrize(("file", "values", "said"), BAD)
def test_components_that_do_not_fit_are_named_before_loading(
    file: str, values: dict[str, Any], said: str, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(CatalogError, match=said):
        facts_of(changed(folder, tmp_path / "bad", file, **values))


def test_clipping_schedulers_are_refused(folder: Path, tmp_path: Path) -> None:
    index = {"scheduler": ["diffusers", "DDIMScheduler"]}
    plain = changed(folder, tmp_path / "a", "model_index.json", **index)
    assert facts_of(plain).defaults.solver == "euler"
    clipped = changed(plain, tmp_path / "b", SCHEDULER, clip_sample=True)
    with pytest.raises(CatalogError, match="clip_sample"):
        facts_of(clipped)
    early = changed(folder, tmp_path / "c", SCHEDULER, final_sigmas_type="sigma_min")
    with pytest.raises(CatalogError, match="final_sigmas_type 'sigma_min', which is not built"):
        facts_of(early)


def test_a_schedulers_class_names_the_usual_solver(folder: Path, tmp_path: Path) -> None:
    index = {"scheduler": ["diffusers", "UniPCMultistepScheduler"]}
    plain = changed(folder, tmp_path / "a", "model_index.json", **index)
    assert facts_of(plain).defaults.solver == "unipc"


def test_conditionings_of_another_kind_are_refused(folder: Path) -> None:
    weft = Weft.of(folder)
    denoiser = weft.family.denoiser(weft.refs.model, weft.load, "cpu")
    alone = Conditioning("x", {"sequence": np.zeros((1, 24, 80))})
    with pytest.raises(DiffusionError, match="no 'pooled': encode it for SDXL"):
        denoiser.prepare([alone], 2)
    with pytest.raises(DiffusionError, match="3 texts cannot serve 2"):
        denoiser.prepare([weft.text(["a", "b", "c"])], 2)
    short = {"sequence": np.zeros((1, 9, 80)), "pooled": np.zeros((1, 32))}
    with pytest.raises(DiffusionError, match="one length"):
        denoiser.prepare([weft.text(["a"]), Conditioning("x", short)], 2)
    worded = Conditioning("x", weft.text(["a"]).tensors, {"crop_top": "high"})
    with pytest.raises(DiffusionError, match="'crop_top' must be a number"):
        denoiser.prepare([worded], 2)


def test_sizes_go_to_each_text_by_itself(folder: Path) -> None:
    weft = Weft.of(folder)
    denoiser = weft.family.denoiser(weft.refs.model, weft.load, "cpu")
    plain = weft.text(["a"])
    cut = Conditioning(plain.space, plain.tensors, {"crop_left": 3, "original_width": 90})
    ready = denoiser.prepare([plain, cut], 2)
    told = denoiser.arguments(ready, torch.zeros(4, 4, 12, 20))["added_cond_kwargs"]["time_ids"]
    assert told[:2].tolist() == [[24, 40, 0, 0, 24, 40]] * 2
    assert told[2:].tolist() == [[24, 90, 0, 3, 24, 40]] * 2


def test_sites_and_blocks_are_the_networks(folder: Path) -> None:
    net = Weft.of(folder).store.get(Weft.of(folder).refs.model, "cpu")
    found = [module for site in CARD.sites for module in layers_of(net, site.path)]
    every = [m for n, m in net.named_modules() if n.endswith(("attn1", "attn2"))]
    assert sorted(map(id, found)) == sorted(map(id, every))
    for site in CARD.sites:
        crosses = [module.is_cross_attention for module in layers_of(net, site.path)]
        assert set(crosses) == {site.stream == "cross"}
    blocks = [module for block in CARD.blocks for module in layers_of(net, block.path)]
    assert len(blocks) == len(every) / 2


def test_half_precision_gives_latents_in_full(folder: Path) -> None:
    weft = Weft.of(folder)
    weft.store.get(weft.refs.model, "cpu").to(torch.bfloat16)
    denoiser = weft.family.denoiser(weft.refs.model, weft.load, "cpu")
    ready = denoiser.prepare([weft.text(["a", "b c"])], 2)
    assert denoiser(torch.ones(2, 4, 4, 6), 0.5, ready).dtype == torch.float32


def test_the_vae_stays_in_full_precision() -> None:
    assert compute_dtype("cuda", CARD, "vae") == "float32"
    assert compute_dtype("cuda", CARD, "unet") == "bfloat16"


@pytest.mark.parametrize(("width", "side"), [(32, 32), (64, 32), (32, 64)])
def test_a_call_needs_what_the_formula_says(width: int, side: int) -> None:
    cross = ("CrossAttnDownBlock2D",) * 2, ("CrossAttnUpBlock2D",) * 2
    net = UNet2DConditionModel(
        block_out_channels=(width, 2 * width, 4 * width),
        down_block_types=("DownBlock2D", *cross[0]),
        up_block_types=(*cross[1], "UpBlock2D"),
        attention_head_dim=8,
        transformer_layers_per_block=(1, 1, 2),
        cross_attention_dim=64,
        norm_num_groups=8,
    ).eval()
    settings = with_class(tiny_sdxl.TRAINED, "EulerDiscreteScheduler")
    rest = (process_of(settings), noise_table(settings), CARD.geometry, "cpu")
    denoiser = UnetDenoiser(net, *rest)
    ready = denoiser.prepare([Conditioning("x", {"sequence": np.zeros((1, 20, 64))})], 2)
    said = CARD.peak.token_widths * width * 4 * side * side * 2
    found = measured(net, lambda: denoiser(torch.zeros(2, 4, side, side), 1.0, ready))
    assert 0.9 < found / said < 1.1
