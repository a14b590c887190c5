"""PixArt beside its parity: what is read from a folder, and what bad folders are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.transformers.pixart_transformer_2d import PixArtTransformer2DModel

from backend.catalog.errors import CatalogError
from backend.diffusion.errors import DiffusionError
from backend.models.card import Geometry
from backend.models.noise_table import noise_table, process_of, with_class
from backend.models.pixart import CARD, PixArtDenoiser
from backend.models.seams.sites import layers_of
from backend.values import Conditioning
from tests.backend.models import tiny_pixart
from tests.backend.models.checks import changed, facts_of, known_by, places_of, published
from tests.backend.models.parity import Weft
from tests.backend.models.test_peak import measured


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_pixart.write(tmp_path_factory.mktemp("pixart"))


@pytest.fixture(scope="module")
def alpha(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_pixart.write(tmp_path_factory.mktemp("alpha"), alpha=True)


def test_sigma_and_alpha_are_known_and_read(folder: Path, alpha: Path) -> None:
    assert known_by(folder) == known_by(alpha) == ["pixart"]
    sigma, older = facts_of(folder), facts_of(alpha)
    assert sigma.geometry == older.geometry == Geometry(channels=4, factor=2, patch=2)
    assert (sigma.width, sigma.vae_width, sigma.defaults.width) == (48, 8, 32)
    assert (sigma.defaults.solver, sigma.defaults.cfg) == ("dpmpp_2m", 4.5)
    assert (sigma.latent_space, older.latent_space) == ("sdxl", "sd15")
    assert sigma.text_space == older.text_space
    assert (sigma.settings["sized"], older.settings["sized"]) == (False, True)


def test_the_published_model_is_read(tmp_path: Path) -> None:
    facts = published("pixart-sigma-1024", "transformer", tmp_path)
    assert (facts.latent_space, facts.text_space) == ("sdxl", "pixart")
    assert facts.geometry == CARD.geometry
    assert (facts.width, facts.defaults.width, facts.defaults.steps) == (1152, 1024, 20)
    assert (facts.settings["max_tokens"], facts.settings["sized"]) == (300, False)


def test_alpha_reads_shorter_texts(alpha: Path, tmp_path: Path) -> None:
    long = {"model_max_length": 512}
    older = changed(alpha, tmp_path / "a", "tokenizer/tokenizer_config.json", **long)
    assert facts_of(older).settings["max_tokens"] == 120
    index = {"_class_name": "PixArtSigmaPipeline"}
    newer = changed(older, tmp_path / "b", "model_index.json", **index)
    assert facts_of(newer).settings["max_tokens"] == 300


def test_older_folders_name_the_general_class(alpha: Path, tmp_path: Path) -> None:
    index = {"transformer": ["diffusers", "Transformer2DModel"]}
    older = changed(alpha, tmp_path / "a", "model_index.json", **index)
    config = {"_class_name": "Transformer2DModel"}
    weft = Weft.of(changed(older, tmp_path / "b", "transformer/config.json", **config))
    assert isinstance(weft.load(weft.refs.model), PixArtTransformer2DModel)


SCHEDULER = "scheduler/scheduler_config.json"
BAD: list[tuple[str, dict[str, Any], str]] = [
    ("transformer/config.json", {"in_channels": 16}, "takes 16 channels, but the VAE makes 4"),
    ("transformer/config.json", {"caption_channels": 48}, "text vectors of 48 numbers"),
    ("transformer/config.json", {"patch_size": 4}, "patch_size 4, where a PixArt has 2"),
    ("transformer/config.json", {"norm_type": "ada_norm_zero"}, "norm_type 'ada_norm_zero'"),
    ("transformer/config.json", {"out_channels": 6}, "out_channels 6, where a PixArt has 8"),
    ("transformer/config.json", {"sample_size": "big"}, "holds a value"),
    ("vae/config.json", {"scaling_factor": 0}, "above 0"),
    ("text_encoder/config.json", {"d_model": None}, "holds a value"),
    ("tokenizer/tokenizer_config.json", {"model_max_length": "many"}, "holds a value"),
    (SCHEDULER, {"use_lu_lambdas": True}, "use_lu_lambdas"),
    (SCHEDULER, {"variance_type": "learned_range"}, "variance_type"),
    (SCHEDULER, {"beta_schedule": "steep"}, "beta_schedule 'steep'"),
    ("model_index.json", {"scheduler": ["diffusers", "LCMScheduler"]}, "LCMScheduler"),
    ("model_index.json", {"text_encoder": ["transformers", "CLIPTextModel"]}, "of no family"),
]


@pytest.mark.parametrize(("file", "values", "said"), BAD)
def test_components_that_do_not_fit_are_named_before_loading(
    file: str, values: dict[str, Any], said: str, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(CatalogError, match=said):
        facts_of(changed(folder, tmp_path / "bad", file, **values))


def test_texts_keep_no_padding_and_no_capitals(folder: Path) -> None:
    weft = Weft.of(folder)

    def coded(*texts: str, **options: int) -> dict[str, Any]:
        given = weft.family.encode_text(weft.refs.text, texts, options, weft.load, "cpu")
        return dict(given.tensors)

    both, alone = coded("dog", " A Dog "), coded("a dog")
    assert both["mask"].sum(1).tolist() == [alone["mask"].sum() - 2, alone["mask"].sum()]
    assert np.allclose(both["sequence"][1], alone["sequence"][0], atol=1e-5)
    assert not both["sequence"][0, -2:].any()
    assert coded("a very long text", max_tokens=4)["mask"].tolist() == [[1, 1, 1, 1]]
    with pytest.raises(DiffusionError, match="1 to 48 tokens, not 49"):
        coded("a", max_tokens=49)


def test_tokens_are_where_the_family_says(folder: Path) -> None:
    weft = Weft.of(folder)
    assert places_of(weft, "dog", slice(1, 3)) == (2, 3)  # behind the sign of a new word
    (row,) = weft.family.token_spans(weft.refs.text, "  A DOG", {}, weft.load)
    assert [t.piece for t in row.tokens if t.place in row.places(4, 7)][-3:] == ["D", "O", "G"]


def test_texts_of_unequal_length_share_a_call(folder: Path) -> None:
    weft = Weft.of(folder)
    denoiser: Any = weft.family.denoiser(weft.refs.model, weft.load, "cpu")

    def condition(tokens: int) -> Conditioning:
        return Conditioning(
            "x", {"sequence": np.ones((1, tokens, 32)), "mask": np.ones((1, tokens))}
        )

    ready = denoiser.prepare([condition(5), condition(3)], 1)
    assert ready["encoder_attention_mask"].sum(1).tolist() == [5, 3]
    x = torch.ones(2, 4, 4, 6)
    found = denoiser(x, 0.5, ready)
    assert found.shape == x.shape
    short = denoiser(x[:1], 0.5, denoiser.prepare([condition(3)], 1))
    assert torch.allclose(found[1:], short, atol=1e-5)
    with pytest.raises(DiffusionError, match="even sides, not 6x5"):
        denoiser(torch.zeros(2, 4, 5, 6), 0.5, ready)
    with pytest.raises(DiffusionError, match="no 'mask': encode it for PixArt"):
        denoiser.prepare([Conditioning("x", {"sequence": np.zeros((1, 5, 32))})], 1)


def test_sites_and_blocks_are_the_networks(folder: Path) -> None:
    net = Weft.of(folder).load(Weft.of(folder).refs.model)
    for site, end in zip(CARD.sites, ("attn1", "attn2"), strict=True):
        every = [m for n, m in net.named_modules() if n.endswith(end)]
        assert layers_of(net, site.path) == every
    assert layers_of(net, CARD.blocks[0].path) == list(net.transformer_blocks)


def test_half_precision_gives_latents_in_full(alpha: Path) -> None:
    weft = Weft.of(alpha)
    weft.load(weft.refs.model).to(torch.bfloat16)
    denoiser = weft.family.denoiser(weft.refs.model, weft.load, "cpu")
    given = weft.family.encode_text(weft.refs.text, ["a", "b c"], {}, weft.load, "cpu")
    found = denoiser(torch.ones(2, 4, 4, 6), 0.5, denoiser.prepare([given], 2))
    assert found.dtype == torch.float32
    assert found.isfinite().all()


@pytest.mark.parametrize(("heads", "side"), [(4, 16), (4, 32), (8, 16)])
def test_a_call_needs_what_the_formula_says(heads: int, side: int) -> None:
    width = 32 * heads
    net = tiny_pixart.transformer(
        attention_head_dim=32, num_attention_heads=heads, cross_attention_dim=width, num_layers=4
    )
    settings = with_class(tiny_pixart.TRAINED, "DPMSolverMultistepScheduler")
    place = (process_of(settings), noise_table(settings), CARD.geometry, "cpu")
    denoiser = PixArtDenoiser(net, False, *place)
    text = {"sequence": np.zeros((1, 32, 32)), "mask": np.ones((1, 32))}
    ready = denoiser.prepare([Conditioning("x", text)], 2)
    x = torch.zeros(2, 4, side * 2, side * 2)
    said = CARD.peak.token_widths * width * 4 * side * side * 2
    assert 0.8 < measured(net, lambda: denoiser(x, 0.5, ready)) / said < 1.2
