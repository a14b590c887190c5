"""FLUX.2 Klein beside its parity: what is read from a folder, and what bad folders are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backend.catalog.errors import CatalogError
from backend.diffusion.errors import DiffusionError
from backend.diffusion.paths import FLOW
from backend.diffusion.process import Process
from backend.models import reference
from backend.models.card import Geometry
from backend.models.flux2 import CARD, Flux2Denoiser, fold, positions, unfold
from backend.models.tiling.tiles import Coding
from backend.values import Conditioning, Image, Latent
from tests.backend.models import tiny_flux2
from tests.backend.models.checks import changed, facts_of, first_change, known_by, places_of
from tests.backend.models.parity import Weft
from tests.backend.models.test_peak import measured


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_flux2.write(tmp_path_factory.mktemp("flux2"))


def test_a_folder_is_known_and_read(folder: Path, tmp_path: Path) -> None:
    assert known_by(folder) == ["flux2_klein"]
    facts = facts_of(folder)
    assert facts.geometry == Geometry(channels=16, factor=4)
    assert facts.geometry.multiple == 4
    assert (facts.width, facts.vae_width) == (32, 4)
    assert (facts.defaults.steps, facts.defaults.cfg) == (50, 4.0)
    assert facts.latent_space.startswith("flux2_klein:")
    few = facts_of(tiny_flux2.write(tmp_path / "few", distilled=True))
    assert (few.defaults.steps, few.defaults.cfg) == (4, 1.0)
    assert (few.latent_space, few.text_space) == (facts.latent_space, facts.text_space)


def test_known_components_give_known_spaces(folder: Path, tmp_path: Path) -> None:
    vae = changed(folder, tmp_path / "a", "vae/config.json", latent_channels=32)
    whole = changed(vae, tmp_path / "b", "transformer/config.json", in_channels=128)
    assert facts_of(whole).latent_space == "flux2"
    for number, (width, space) in enumerate(((2560, "4b"), (4096, "9b"))):
        encoder = {"hidden_size": width, "num_hidden_layers": 36}
        half = changed(folder, tmp_path / f"c{number}", "text_encoder/config.json", **encoder)
        wide = {"joint_attention_dim": 3 * width}
        both = changed(half, tmp_path / f"d{number}", "transformer/config.json", **wide)
        assert facts_of(both).text_space == f"flux2_klein_{space}"


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("transformer/config.json", {"in_channels": 64}, "takes 64 channels, but the VAE makes 16"),
    ("transformer/config.json", {"joint_attention_dim": 48}, "text vectors of 48 numbers"),
    ("transformer/config.json", {"guidance_embeds": True}, "embedded guidance"),
    ("transformer/config.json", {"num_attention_heads": "x"}, "holds a value"),
    ("vae/config.json", {"latent_channels": None}, "holds a value"),
    ("text_encoder/config.json", {"num_hidden_layers": 27}, "27 layers"),
    ("text_encoder/config.json", {"hidden_size": None}, "holds a value"),
    ("scheduler/scheduler_config.json", {"invert_sigmas": True}, "invert_sigmas"),
    ("model_index.json", {"scheduler": ["diffusers", "DDIMScheduler"]}, "DDIMScheduler"),
    ("model_index.json", {"vae": ["diffusers", "AutoencoderKL"]}, "of no family"),
]


@pytest.mark.parametrize(("file", "values", "said"), BAD)
def test_components_that_do_not_fit_are_named_before_loading(
    file: str, values: dict[str, Any], said: str, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(CatalogError, match=said):
        facts_of(changed(folder, tmp_path / "bad", file, **values))


def test_folding_is_undone_and_keeps_patches_together() -> None:
    x = torch.arange(2 * 3 * 4 * 6).reshape(2, 3, 4, 6).float()
    assert torch.equal(unfold(fold(x)), x)
    assert fold(x)[0, :4, 1, 2].tolist() == x[0, 0, 2:4, 4:6].flatten().tolist()


def test_positions_count_picture_row_column_and_word() -> None:
    assert positions(10, 2, 2).tolist() == [
        [10, 0, 0, 0], [10, 0, 1, 0], [10, 1, 0, 0], [10, 1, 1, 0],
    ]  # fmt: skip
    assert positions(0, 1, 1, 3).tolist() == [[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 2]]


def test_sizes_and_lengths_that_cannot_be_are_refused(folder: Path) -> None:
    weft = Weft.of(folder)
    with pytest.raises(DiffusionError, match="multiples of 4 pixels"):
        facts_of(folder).geometry.shape(42, 24)
    with pytest.raises(DiffusionError, match="1 to 64 tokens"):
        weft.family.encode_text(weft.refs.text, ["a"], {"max_tokens": 65}, weft.load, "cpu")
    short = weft.family.encode_text(weft.refs.text, ["a"], {"max_tokens": 9}, weft.load, "cpu")
    assert short.tensors["sequence"].shape == (1, 9, 96)
    whole = weft.family.encode_text(weft.refs.text, ["a"], {}, weft.load, "cpu")
    denoiser = weft.family.denoiser(weft.refs.model, weft.load, "cpu")
    with pytest.raises(DiffusionError, match="one length"):
        denoiser.prepare([short, whole], 1)


def test_tokens_are_where_the_family_says(folder: Path) -> None:
    weft = Weft.of(folder)
    found = places_of(weft, "a dog sits", slice(2, 3))
    assert first_change(weft, "a dog sits", "a fog sits") == found[-1]


def test_tiles_agree_with_the_whole(folder: Path) -> None:
    weft = Weft.of(folder)
    coding = Coding(tile=24, overlap=16)
    image = Image(np.random.default_rng(3).random((1, 32, 48, 3), np.float32))
    given = (weft.load, "cpu")
    whole = weft.family.encode_image(weft.refs.vae, image, *given)
    tiled = weft.family.encode_image(weft.refs.vae, image, *given, coding=coding)
    assert tiled.samples.shape == (1, 16, 8, 12)
    assert np.abs(tiled.samples - whole.samples).mean() < 0.1
    decoded = [weft.family.decode_latent(weft.refs.vae, whole, *given, c).pixels
               for c in (Coding(), coding)]  # fmt: skip
    assert np.abs(decoded[0] - decoded[1]).mean() < 0.02
    assert np.abs(decoded[0] - decoded[1]).max() > 0


def test_the_variant_with_other_references_refuses_them(folder: Path, tmp_path: Path) -> None:
    weft = Weft.of(changed(folder, tmp_path / "kv", "model_index.json",
                           _class_name="Flux2KleinKVPipeline"))  # fmt: skip
    text = weft.family.encode_text(weft.refs.text, ["a"], {}, weft.load, "cpu")
    denoiser = weft.family.denoiser(weft.refs.model, weft.load, "cpu")
    denoiser.prepare([text], 1)
    with pytest.raises(DiffusionError, match="takes no references"):
        denoiser.prepare([reference.add(text, Latent(np.zeros((1, 16, 2, 2)), "x"))], 1)


@pytest.mark.parametrize(("heads", "side"), [(4, 16), (4, 32), (8, 16)])
def test_a_call_needs_what_the_formula_says(heads: int, side: int) -> None:
    net = tiny_flux2.transformer(
        in_channels=128,
        attention_head_dim=32,
        num_attention_heads=heads,
        joint_attention_dim=96,
        axes_dims_rope=(8, 8, 8, 8),
    )
    denoiser = Flux2Denoiser(net, Process(FLOW, "velocity"), "cpu")
    ready = denoiser.prepare([Conditioning("x", {"sequence": np.zeros((1, 32, 96))})], 2)
    x = torch.zeros(2, 128, side, side)
    said = CARD.peak.token_widths * heads * 32 * 4 * side * side * 2
    assert 0.8 < measured(net, lambda: denoiser(x, 0.5, ready)) / said < 1.2
