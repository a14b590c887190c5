"""Lumina 2 beside its parity: what is read from a folder, and what bad folders are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backend.catalog.errors import CatalogError
from backend.diffusion.errors import DiffusionError, UnequalTexts
from backend.diffusion.paths import FLOW
from backend.diffusion.process import Process
from backend.models.card import Geometry
from backend.models.lumina2 import CARD, Lumina2Denoiser
from backend.values import Conditioning
from tests.backend.models import tiny_lumina2
from tests.backend.models.checks import changed, facts_of, first_change, known_by, places_of
from tests.backend.models.parity import Weft
from tests.backend.models.test_peak import measured


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_lumina2.write(tmp_path_factory.mktemp("lumina2"))


def test_a_folder_is_known_and_read(folder: Path, tmp_path: Path) -> None:
    assert known_by(folder) == ["lumina2"]
    facts = facts_of(folder)
    assert facts.geometry == Geometry(channels=4, factor=2, patch=2)
    assert (facts.width, facts.vae_width, facts.defaults.width) == (32, 4, 32)
    assert facts.latent_space.startswith("lumina2:")
    known = {"scaling_factor": 0.3611, "shift_factor": 0.1159, "latent_channels": 16}
    vae = changed(folder, tmp_path / "a", "vae/config.json", **known)
    whole = changed(vae, tmp_path / "b", "transformer/config.json", in_channels=16)
    assert facts_of(whole).latent_space == "flux1"


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("transformer/config.json", {"in_channels": 16}, "takes 16 channels, but the VAE makes 4"),
    ("transformer/config.json", {"cap_feat_dim": 48}, "text vectors of 48 numbers"),
    ("transformer/config.json", {"hidden_size": "wide"}, "holds a value"),
    ("transformer/config.json", {"axes_lens": [200, 32, 32]}, "only 200 places"),
    ("transformer/config.json", {"patch_size": 4}, "patches of 4 cells"),
    ("vae/config.json", {"scaling_factor": 0}, "above 0"),
    ("text_encoder/config.json", {"hidden_size": None}, "holds a value"),
    ("scheduler/scheduler_config.json", {"stochastic_sampling": True}, "stochastic_sampling"),
    ("model_index.json", {"scheduler": ["diffusers", "DDIMScheduler"]}, "DDIMScheduler"),
    ("model_index.json", {"text_encoder": ["transformers", "T5EncoderModel"]}, "of no family"),
]


@pytest.mark.parametrize(("file", "values", "said"), BAD)
def test_components_that_do_not_fit_are_named_before_loading(
    file: str, values: dict[str, Any], said: str, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(CatalogError, match=said):
        facts_of(changed(folder, tmp_path / "bad", file, **values))


def test_the_system_prompt_stands_before_every_text_but_the_empty_one(folder: Path) -> None:
    weft = Weft.of(folder)

    def tokens(text: str, **options: Any) -> int:
        given = weft.family.encode_text(weft.refs.text, [text], options, weft.load, "cpu")
        return int(given.tensors["mask"].sum())

    assert tokens("dog", system="") == 1 + len("dog")
    assert tokens("dog", system="abc") == 1 + len("abc <Prompt Start> dog")
    assert tokens("dog") > 150
    assert tokens("dog", negative=True) == 1 + len("dog")
    assert tokens("") == tokens("", system="abc") == 1
    with pytest.raises(DiffusionError, match="'system' must be a text"):
        tokens("dog", system=3)
    with pytest.raises(DiffusionError, match="1 to 200 tokens"):
        tokens("dog", max_tokens=201)


def test_sizes_that_the_model_cannot_make_are_refused(folder: Path) -> None:
    weft = Weft.of(folder)
    coded = weft.family.encode_text(weft.refs.text, ["a"], {}, weft.load, "cpu")
    denoiser = weft.family.denoiser(weft.refs.model, weft.load, "cpu")
    ready = denoiser.prepare([coded], 1)
    with pytest.raises(DiffusionError, match="even sides, not 6x5"):
        denoiser(torch.zeros(1, 4, 5, 6), 0.5, ready)
    with pytest.raises(DiffusionError, match="up to 64x64 cells, not 66x4"):
        denoiser(torch.zeros(1, 4, 4, 66), 0.5, ready)
    assert denoiser(torch.zeros(1, 4, 4, 64), 0.5, ready).shape == (1, 4, 4, 64)


def test_tokens_are_where_the_family_says(folder: Path) -> None:
    weft = Weft.of(folder)
    found = places_of(weft, "a dog sits", slice(2, 3))
    assert first_change(weft, "a dog sits", "a fog sits") == found[-1]


def test_texts_of_other_lengths_are_asked_one_by_one(folder: Path) -> None:
    weft = Weft.of(folder)
    one, two = (
        weft.family.encode_text(weft.refs.text, [text], {}, weft.load, "cpu")
        for text in ("a dog", "an elephant")
    )
    denoiser = weft.family.denoiser(weft.refs.model, weft.load, "cpu")
    with pytest.raises(UnequalTexts):
        denoiser.prepare([one, two], 2)
    assert denoiser.prepare([one, one], 2)["encoder_attention_mask"].all()


@pytest.mark.parametrize(("heads", "side"), [(4, 16), (4, 32), (8, 16)])
def test_a_call_needs_what_the_formula_says(heads: int, side: int) -> None:
    net = tiny_lumina2.transformer(
        hidden_size=heads * 32,
        num_attention_heads=heads,
        num_kv_heads=heads // 4,
        in_channels=16,
        axes_dim_rope=(8, 12, 12),
        axes_lens=(128, 64, 64),
    )
    most = dict.fromkeys(("rows", "columns", "positions"), 64)
    facts: Any = type("Facts", (), {"geometry": CARD.geometry, "settings": most})
    denoiser = Lumina2Denoiser(net, Process(FLOW, "velocity"), facts, "cpu")
    text = {"sequence": np.zeros((1, 32, 32)), "mask": np.ones((1, 32))}
    ready = denoiser.prepare([Conditioning("x", text)], 2)
    x = torch.zeros(2, 16, side * 2, side * 2)
    said = CARD.peak.token_widths * heads * 32 * 4 * side * side * 2
    assert 0.8 < measured(net, lambda: denoiser(x, 0.5, ready)) / said < 1.2
