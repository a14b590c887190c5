"""Chroma beside its parity: what is read from a folder, and what bad folders are told."""

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
from backend.models.card import Geometry
from backend.models.chroma import CARD, ChromaDenoiser
from backend.values import Conditioning
from tests.backend.models import tiny_chroma
from tests.backend.models.checks import changed, facts_of, known_by, places_of
from tests.backend.models.parity import Weft
from tests.backend.models.test_peak import measured


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_chroma.write(tmp_path_factory.mktemp("chroma"))


def test_a_folder_is_known_and_read(folder: Path, tmp_path: Path) -> None:
    assert known_by(folder) == ["chroma"]
    facts = facts_of(folder)
    assert facts.geometry == Geometry(channels=4, factor=2, patch=2)
    assert (facts.width, facts.vae_width, facts.defaults.cfg) == (32, 4, 3.0)
    assert facts.latent_space.startswith("chroma:")
    known = {"scaling_factor": 0.3611, "shift_factor": 0.1159, "latent_channels": 16}
    vae = changed(folder, tmp_path / "a", "vae/config.json", **known)
    whole = changed(vae, tmp_path / "b", "transformer/config.json", in_channels=64)
    assert facts_of(whole).latent_space == "flux1"


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("transformer/config.json", {"in_channels": 64}, "takes 64 channels, but the VAE makes 16"),
    ("transformer/config.json", {"joint_attention_dim": 48}, "text vectors of 48 numbers"),
    ("transformer/config.json", {"attention_head_dim": "x"}, "holds a value"),
    ("vae/config.json", {"scaling_factor": 0}, "above 0"),
    ("text_encoder/config.json", {"d_model": None}, "holds a value"),
    ("tokenizer/tokenizer_config.json", {"model_max_length": "many"}, "holds a value"),
    ("scheduler/scheduler_config.json", {"invert_sigmas": True}, "invert_sigmas"),
    ("model_index.json", {"scheduler": ["diffusers", "DDIMScheduler"]}, "DDIMScheduler"),
    ("model_index.json", {"text_encoder": ["transformers", "CLIPTextModel"]}, "of no family"),
]


@pytest.mark.parametrize(("file", "values", "said"), BAD)
def test_components_that_do_not_fit_are_named_before_loading(
    file: str, values: dict[str, Any], said: str, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(CatalogError, match=said):
        facts_of(changed(folder, tmp_path / "bad", file, **values))


def test_texts_keep_one_padding_token_and_no_more(folder: Path) -> None:
    weft = Weft.of(folder)

    def coded(*texts: str, **options: int) -> dict[str, Any]:
        given = weft.family.encode_text(weft.refs.text, texts, options, weft.load, "cpu")
        return dict(given.tensors)

    both, alone = coded("dog", "a dog"), coded("dog")
    assert both["mask"].sum(1).tolist() == [alone["mask"].sum(), alone["mask"].sum() + 2]
    assert np.allclose(both["sequence"][0, :-2], alone["sequence"][0], atol=1e-5)
    assert not both["sequence"][0, -2:].any()
    assert coded("a very long text", max_tokens=4)["mask"].tolist() == [[1, 1, 1, 1]]
    with pytest.raises(DiffusionError, match="1 to 48 tokens, not 49"):
        coded("a", max_tokens=49)


def test_texts_of_one_length_need_no_mask(folder: Path) -> None:
    weft = Weft.of(folder)
    denoiser: Any = weft.family.denoiser(weft.refs.model, weft.load, "cpu")

    def condition(tokens: int) -> Conditioning:
        return Conditioning(
            "x", {"sequence": np.ones((1, tokens, 32)), "mask": np.ones((1, tokens))}
        )

    assert denoiser.prepare([condition(5), condition(5)], 2)["attention_mask"] is None
    masked = denoiser.prepare([condition(5), condition(3)], 1)
    assert masked["attention_mask"].sum(1).tolist() == [5, 3]
    assert denoiser(torch.zeros(2, 4, 4, 6), 0.5, masked).isfinite().all()
    with pytest.raises(DiffusionError, match="even sides, not 6x5"):
        denoiser(torch.zeros(2, 4, 5, 6), 0.5, masked)
    with pytest.raises(DiffusionError, match="no 'mask'"):
        denoiser.prepare([Conditioning("x", {"sequence": np.zeros((1, 5, 32))})], 1)


def test_tokens_are_where_the_family_says(folder: Path) -> None:
    assert places_of(Weft.of(folder), "dog", slice(1, 3)) == (2, 3)  # behind the sign of a new word


@pytest.mark.parametrize(("heads", "side"), [(4, 16), (4, 32), (8, 16)])
def test_a_call_needs_what_the_formula_says(heads: int, side: int) -> None:
    net = tiny_chroma.transformer(
        in_channels=64, attention_head_dim=32, num_attention_heads=heads, axes_dims_rope=(8, 12, 12)
    )
    denoiser = ChromaDenoiser(net, Process(FLOW, "velocity"), Geometry(16, 8, 2), "cpu")
    text = {"sequence": np.zeros((1, 32, 32)), "mask": np.ones((1, 32))}
    ready = denoiser.prepare([Conditioning("x", text)], 2)
    x = torch.zeros(2, 16, side * 2, side * 2)
    said = CARD.peak.token_widths * heads * 32 * 4 * side * side * 2
    assert 0.8 < measured(net, lambda: denoiser(x, 0.5, ready)) / said < 1.2
