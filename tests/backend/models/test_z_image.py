"""Z-Image beside its parity: what is read from a folder, and what bad folders are told."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backend.catalog.errors import CatalogError
from backend.diffusion.around import Moment
from backend.diffusion.errors import DiffusionError
from backend.diffusion.paths import FLOW
from backend.diffusion.process import Process
from backend.models.card import Geometry
from backend.models.seams.sites import Attention, Spans, on_attention
from backend.models.text_llm import chats
from backend.models.z_image import CARD, ZImageDenoiser
from backend.values import Conditioning
from tests.backend.models import tiny_llm, tiny_z_image
from tests.backend.models.checks import changed, facts_of, first_change, known_by, places_of
from tests.backend.models.parity import Weft
from tests.backend.models.test_peak import measured


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_z_image.write(tmp_path_factory.mktemp("z_image"))


def test_a_folder_is_known_and_read(folder: Path, tmp_path: Path) -> None:
    assert known_by(folder) == ["z_image"]
    facts = facts_of(folder)
    assert facts.geometry == Geometry(channels=4, factor=2, patch=2)
    assert (facts.width, facts.vae_width) == (32, 4)
    assert (facts.defaults.steps, facts.defaults.cfg) == (8, 1.0)
    base = facts_of(tiny_z_image.write(tmp_path / "base", shift=6.0))
    assert (base.defaults.steps, base.defaults.cfg) == (50, 5.0)
    assert base.latent_space == facts.latent_space
    assert base.text_space == facts.text_space


def test_a_model_that_reads_pictures_too_is_another(folder: Path, tmp_path: Path) -> None:
    siglip = {"siglip": ["transformers", "Siglip2VisionModel"]}
    copy = changed(folder, tmp_path / "omni", "model_index.json", **siglip)
    shutil.copytree(folder / "text_encoder", copy / "siglip")
    assert known_by(copy) == []


def test_the_shared_vae_gives_the_shared_space(folder: Path, tmp_path: Path) -> None:
    known = {"scaling_factor": 0.3611, "shift_factor": 0.1159, "latent_channels": 16}
    vae = changed(folder, tmp_path / "a", "vae/config.json", **known)
    whole = changed(vae, tmp_path / "b", "transformer/config.json", in_channels=16)
    assert facts_of(whole).latent_space == "flux1"
    assert facts_of(folder).latent_space.startswith("z_image:")


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("transformer/config.json", {"in_channels": 16}, "takes 16 channels, but the VAE makes 4"),
    ("transformer/config.json", {"cap_feat_dim": 48}, "text vectors of 48 numbers"),
    ("transformer/config.json", {"dim": "wide"}, "holds a value"),
    ("transformer/config.json", {"axes_lens": [64, 32, 32]}, "only 64 places"),
    ("transformer/config.json", {"axes_lens": 7}, "holds a value"),
    ("transformer/config.json", {"all_patch_size": [4]}, "no patches of 2x2"),
    ("vae/config.json", {"scaling_factor": 0}, "above 0"),
    ("text_encoder/config.json", {"hidden_size": None}, "holds a value"),
    ("tokenizer/tokenizer_config.json", {"model_max_length": "many"}, "holds a value"),
    ("scheduler/scheduler_config.json", {"invert_sigmas": True}, "invert_sigmas"),
    ("model_index.json", {"scheduler": ["diffusers", "DDIMScheduler"]}, "DDIMScheduler"),
    ("model_index.json", {"text_encoder": ["transformers", "T5EncoderModel"]}, "of no family"),
]


@pytest.mark.parametrize(("file", "values", "said"), BAD)
def test_components_that_do_not_fit_are_named_before_loading(
    file: str, values: dict[str, Any], said: str, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(CatalogError, match=said):
        facts_of(changed(folder, tmp_path / "bad", file, **values))


def test_a_foreign_class_is_not_loaded(folder: Path, tmp_path: Path) -> None:
    odd = changed(
        folder, tmp_path / "odd", "model_index.json", tokenizer=["transformers", "BertTokenizer"]
    )
    weft = Weft.of(odd)
    with pytest.raises(CatalogError, match="asks for the class 'BertTokenizer' as its tokenizer"):
        weft.family.encode_text(weft.refs.text, ["a"], {}, weft.load, "cpu")


@pytest.mark.parametrize("template", [None, "{{ messages[0].absent.more }}", "{% for"])
def test_a_tokenizer_without_a_good_template_is_named(template: str | None) -> None:
    tokenizer = tiny_llm.qwen_tokenizer(96)
    tokenizer.chat_template = template
    with pytest.raises(CatalogError, match="chat template of the tokenizer"):
        chats(tokenizer, ["a"])


def test_more_tokens_than_the_encoder_takes_are_refused(folder: Path) -> None:
    weft = Weft.of(folder)
    with pytest.raises(DiffusionError, match="1 to 96 tokens, not 97"):
        weft.family.encode_text(weft.refs.text, ["a"], {"max_tokens": 97}, weft.load, "cpu")
    short = weft.family.encode_text(weft.refs.text, ["a"], {"max_tokens": 5}, weft.load, "cpu")
    assert short.tensors["sequence"].shape == (1, 5, 32)


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
    with pytest.raises(DiffusionError, match="3 texts cannot serve 2"):
        denoiser.prepare([Conditioning("x", dict.fromkeys(coded.tensors, np.zeros((3, 5))))], 2)


def test_half_precision_gives_latents_in_full(folder: Path) -> None:
    weft = Weft.of(folder)
    net = weft.store.get(weft.refs.model, "cpu").to(torch.bfloat16)
    coded = weft.family.encode_text(weft.refs.text, ["a", "b c"], {}, weft.load, "cpu")
    denoiser = weft.family.denoiser(weft.refs.model, lambda w: _or(net, weft, w), "cpu")
    out = denoiser(torch.ones(2, 4, 4, 6), 0.5, denoiser.prepare([coded], 2))
    assert out.dtype == torch.float32
    assert torch.isfinite(out).all()


def _or(net: Any, weft: Weft, weights: Any) -> Any:
    return net if weights.part == "transformer" else weft.load(weights)


def test_tokens_are_where_the_family_says(folder: Path) -> None:
    weft = Weft.of(folder)
    found = places_of(weft, "a dog sits", slice(2, 3))
    assert first_change(weft, "a dog sits", "a fog sits") == found[-1]


def test_attention_sees_image_and_text_where_they_are(folder: Path) -> None:
    """Keys of what fills the image up are of neither; without its text it makes another picture."""
    weft = Weft.of(folder)
    coded = weft.family.encode_text(weft.refs.text, ["a"], {}, weft.load, "cpu")
    denoiser: Any = weft.family.denoiser(weft.refs.model, weft.load, "cpu")
    x, ready = torch.ones(1, 4, 10, 6), denoiser.prepare([coded], 1)
    seen: dict[str, Spans] = {}

    def run(change: Callable[[Attention], Attention]) -> torch.Tensor:
        def hook(call: Attention) -> torch.Tensor:
            seen[call.site.name] = call.spans
            return change(call).attend()

        around = on_attention(weft.load(weft.refs.model), CARD, hook, denoiser.spans)
        with around(Moment(0.5, 0, 1, (1, 4, 10, 6), (), 1, denoiser.tokens(x.shape))):
            return denoiser(x, 0.5, ready)

    def without_text(call: Attention) -> Attention:
        value = call.value.clone()
        value[:, :, call.spans.text_keys] = 0
        return call.but(value=value)

    plain = denoiser(x, 0.5, ready)
    assert torch.equal(run(lambda call: call), plain)
    assert seen["refine"] == Spans(slice(0, 0), slice(0, 15), slice(0, 0), slice(0, 15))
    assert seen["single"] == Spans(slice(32, 64), slice(0, 15), slice(32, 64), slice(0, 15))
    assert not torch.allclose(run(without_text), plain, atol=1e-2)


@pytest.mark.parametrize(("heads", "side"), [(4, 16), (4, 32), (8, 16)])
def test_a_call_needs_what_the_formula_says(heads: int, side: int) -> None:
    net = tiny_z_image.transformer(
        dim=heads * 32,
        n_heads=heads,
        n_kv_heads=heads,
        in_channels=16,
        axes_dims=[8, 12, 12],
        axes_lens=[128, 64, 64],
    )
    most = dict.fromkeys(("rows", "columns", "positions"), 64)
    facts: Any = type("Facts", (), {"geometry": CARD.geometry, "settings": most})
    denoiser = ZImageDenoiser(net, Process(FLOW, "velocity"), facts, "cpu")
    text = {"sequence": np.zeros((1, 32, 32)), "mask": np.ones((1, 32))}
    ready = denoiser.prepare([Conditioning("x", text)], 2)
    x = torch.zeros(2, 16, side * 2, side * 2)
    said = CARD.peak.token_widths * heads * 32 * 4 * side * side * 2
    assert 0.8 < measured(net, lambda: denoiser(x, 0.5, ready)) / said < 1.2
