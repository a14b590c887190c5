"""Stable Diffusion 3 beside its parity: what is read from a folder, and what bad ones are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.transformers.transformer_sd3 import SD3Transformer2DModel

from backend.catalog.errors import CatalogError
from backend.diffusion.errors import DiffusionError
from backend.models.card import Geometry
from backend.models.flow_schedulers import EULER, flow_times
from backend.models.sd3 import CARD, SKIP_LAYER, Sd3Denoiser
from backend.models.seams.sites import layers_of
from backend.values import Conditioning
from tests.backend.models import tiny_sd3
from tests.backend.models.checks import changed, facts_of, first_change, known_by, published
from tests.backend.models.parity import Weft
from tests.backend.models.test_peak import measured
from tests.backend.models.tiny import TOKENS


@pytest.fixture(scope="module")
def folder(sd3_folder: Path) -> Path:
    return sd3_folder


@pytest.fixture(scope="module")
def without_t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_sd3.write(tmp_path_factory.mktemp("short"), with_t5=False)


def test_a_folder_is_known_and_read(folder: Path, without_t5: Path, tmp_path: Path) -> None:
    assert known_by(folder) == known_by(without_t5) == ["sd3"]
    facts = facts_of(folder)
    assert facts.geometry == Geometry(channels=16, factor=2, patch=2)
    assert (facts.width, facts.vae_width, facts.defaults.width) == (32, 4, 32)
    assert facts.latent_space == "sd3"
    assert facts.text_space.startswith("sd3:")
    large = {"hidden_size": 1280, "num_hidden_layers": 32}
    net = {"joint_attention_dim": 1312}
    wide = changed(without_t5, tmp_path / "a", "text_encoder_2/config.json", **large)
    assert facts_of(changed(wide, tmp_path / "b", "transformer/config.json", **net)).text_space == (
        "sd3"
    )


@pytest.mark.parametrize(
    ("name", "width", "reach", "steps", "cfg"),
    [
        ("sd3-medium", 1536, 192, 28, 7.0),
        ("sd35-medium", 1536, 384, 40, 4.5),
        ("sd35-large", 2432, 192, 28, 3.5),
    ],
)
def test_the_published_models_are_read(
    name: str, width: int, reach: int, steps: int, cfg: float, tmp_path: Path
) -> None:
    facts = published(name, "transformer", tmp_path)
    assert (facts.latent_space, facts.text_space) == ("sd3", "sd3")
    assert facts.geometry == CARD.geometry
    assert (facts.width, facts.settings["reach"]) == (width, reach)
    assert (facts.defaults.steps, facts.defaults.cfg, facts.defaults.width) == (steps, cfg, 1024)
    assert facts.settings["skip_layer"] == (SKIP_LAYER if name == "sd35-medium" else None)
    assert (facts.settings["t5"], facts.settings["max_tokens"]) == (False, 256)
    assert published(name, "text_encoder_3", tmp_path).settings["t5"]


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("transformer/config.json", {"in_channels": 33}, "takes 33 channels, but the VAE makes 16"),
    ("transformer/config.json", {"joint_attention_dim": 48}, "text vectors of 48 numbers"),
    ("transformer/config.json", {"pooled_projection_dim": 2048}, "pooled text vector of 2048.*64"),
    ("transformer/config.json", {"patch_size": 1}, "patches of 1 cells a side"),
    ("transformer/config.json", {"attention_head_dim": "x"}, "holds a value"),
    ("vae/config.json", {"scaling_factor": 0}, "above 0"),
    ("text_encoder/config.json", {"hidden_size": 64}, "together make 112"),
    ("text_encoder_2/config.json", {"hidden_size": None}, "holds a value"),
    ("text_encoder_3/config.json", {"d_model": 64}, "the text encoder makes 64"),
    ("tokenizer_2/tokenizer_config.json", {"model_max_length": 77}, "77 tokens.*places for 24"),
    ("tokenizer_3/tokenizer_config.json", {"model_max_length": "many"}, "holds a value"),
    ("scheduler/scheduler_config.json", {"invert_sigmas": True}, "invert_sigmas"),
    ("scheduler/scheduler_config.json", {"shift": 0}, "holds a value"),
    ("model_index.json", {"scheduler": ["diffusers", "DDIMScheduler"]}, "DDIMScheduler"),
    ("model_index.json", {"text_encoder": ["transformers", "CLIPTextModel"]}, "of no family"),
]


@pytest.mark.parametrize(("file", "values", "said"), BAD)
def test_components_that_do_not_fit_are_named_before_loading(
    file: str, values: dict[str, Any], said: str, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(CatalogError, match=said):
        facts_of(changed(folder, tmp_path / "bad", file, **values))


def test_texts_are_clips_tokens_then_t5s(folder: Path, without_t5: Path) -> None:
    weft, short = Weft.of(folder), Weft.of(without_t5)

    def coded(of: Weft, **options: int) -> dict[str, Any]:
        given = of.family.encode_text(of.refs.text, ["a dog", "b"], options, of.load, "cpu")
        return dict(given.tensors)

    whole, part = coded(weft), coded(short)
    assert whole["sequence"].shape == (2, 2 * TOKENS, 96)
    assert whole["pooled"].shape == (2, 64)
    assert not whole["sequence"][:, :TOKENS, 80:].any()
    assert part["sequence"].shape == (2, TOKENS + 256, 96)
    assert not part["sequence"][:, TOKENS:].any()
    assert np.array_equal(whole["sequence"][:, :TOKENS], part["sequence"][:, :TOKENS])
    assert coded(short, max_tokens=9)["sequence"].shape == (2, TOKENS + 9, 96)
    skipped = coded(weft, clip_skip=1)["sequence"] - whole["sequence"]
    assert np.abs(skipped[:, :TOKENS]).max() > 0.01
    assert not skipped[:, TOKENS:].any()
    with pytest.raises(DiffusionError, match="1 to 24 tokens, not 25"):
        coded(weft, max_tokens=25)
    with pytest.raises(DiffusionError, match="0 to 3, not 4"):
        coded(weft, clip_skip=4)


def test_tokens_are_where_the_family_says(folder: Path, without_t5: Path) -> None:
    weft, short = Weft.of(folder), Weft.of(without_t5)
    rows = weft.family.token_spans(weft.refs.text, "a red cat", {}, weft.load)
    assert [row.name for row in rows] == ["CLIP", "OpenCLIP", "T5"]
    first = first_change(weft, "a red cat", "a red dog")
    assert first == rows[0].places(6, 9)[0] == rows[1].places(6, 9)[0]
    held = [token.piece for token in rows[2].tokens if token.place in rows[2].places(6, 9)]
    assert set(held) == set("cat")
    assert [row.tokens[-1].place for row in rows] == [8, 8, TOKENS + 10]
    assert len(short.family.token_spans(short.refs.text, "a", {}, short.load)) == 2


def test_conditionings_and_latents_that_do_not_fit_are_refused(folder: Path) -> None:
    weft = Weft.of(folder)
    denoiser = weft.family.denoiser(weft.refs.model, weft.load, "cpu")
    given = weft.family.encode_text(weft.refs.text, ["a"], {}, weft.load, "cpu")
    ready = denoiser.prepare([given], 1)
    assert denoiser(torch.zeros(1, 16, 32, 4), 0.5, ready).isfinite().all()
    with pytest.raises(DiffusionError, match="even sides, not 6x5"):
        denoiser(torch.zeros(1, 16, 5, 6), 0.5, ready)
    with pytest.raises(DiffusionError, match="up to 32x32 cells, not 4x34"):
        denoiser(torch.zeros(1, 16, 34, 4), 0.5, ready)
    cut = weft.family.encode_text(weft.refs.text, ["a"], {"max_tokens": 9}, weft.load, "cpu")
    with pytest.raises(DiffusionError, match="one length"):
        denoiser.prepare([given, cut], 1)
    alone = Conditioning("x", {"sequence": given.tensors["sequence"]})
    with pytest.raises(DiffusionError, match="no 'pooled': encode it for Stable Diffusion 3"):
        denoiser.prepare([alone], 1)


def test_sites_and_blocks_are_the_networks(folder: Path) -> None:
    net = Weft.of(folder).load(Weft.of(folder).refs.model)
    found = [module for site in CARD.sites for module in layers_of(net, site.path)]
    every = [m for n, m in net.named_modules() if n.endswith(("attn", "attn2"))]
    assert sorted(map(id, found)) == sorted(map(id, every))
    assert len(every) == 5  # two of the three blocks look at the image twice
    assert layers_of(net, CARD.blocks[0].path) == list(net.transformer_blocks)


@pytest.mark.parametrize(("heads", "side"), [(4, 16), (4, 32), (8, 16)])
def test_a_call_needs_what_the_formula_says(heads: int, side: int) -> None:
    net = tiny_sd3.transformer(
        attention_head_dim=32,
        num_attention_heads=heads,
        caption_projection_dim=32 * heads,
        pos_embed_max_size=32,
        num_layers=4,
    )
    assert isinstance(net, SD3Transformer2DModel)
    denoiser = Sd3Denoiser(net, flow_times(EULER, {}), CARD.geometry, 32, "cpu")
    tensors = {"sequence": np.zeros((1, 32, 96)), "pooled": np.zeros((1, 64))}
    ready = denoiser.prepare([Conditioning("x", tensors)], 2)
    x = torch.zeros(2, 16, side * 2, side * 2)
    said = CARD.peak.token_widths * heads * 32 * 4 * side * side * 2
    assert 0.8 < measured(net, lambda: denoiser(x, 0.5, ready)) / said < 1.2
