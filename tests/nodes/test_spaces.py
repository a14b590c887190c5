"""Models of different families in one graph: what goes together is let through, the rest is
refused while editing, with the reason and the nodes between."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.engine.lookup import HeaderLookup
from backend.engine.registry import scan_nodes
from backend.graph.check import Checker
from backend.graph.format import parse
from backend.media.grants import Grants
from tests.backend.catalog.headers import safetensors
from tests.backend.models import tiny, tiny_sdxl, tiny_z_image

FLUX1 = {"latent_channels": 16, "scaling_factor": 0.3611, "shift_factor": 0.1159}
WRITERS: dict[str, Callable[[Path], Any]] = {
    "flux": tiny.write,
    "z": tiny_z_image.write,
    "base": tiny_sdxl.write,
    "refiner": tiny_sdxl.write_refiner,
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny models of four kinds; Flux and Z-Image have one VAE, as the published ones do."""
    home = tmp_path_factory.mktemp("models")
    for name, write in WRITERS.items():
        write(home / name)
    for name, channels in (("flux", 64), ("z", 16)):  # what facts are read from; nothing is run
        for part, changes in (("vae", FLUX1), ("transformer", {"in_channels": channels})):
            config = home / name / part / "config.json"
            config.write_text(json.dumps({**json.loads(config.read_text()), **changes}))
    return home


def said(home: Path, **nodes: Any) -> list[tuple[str, str]]:
    """The errors of a graph: code and sentence."""
    flow = parse(json.dumps({"weft": 1, "nodes": nodes}), "it")
    checker = Checker(scan_nodes(), HeaderLookup(Grants(home, (home,))))
    return [(d.code, d.sentence) for d in checker.check(flow).diagnostics if d.level == "error"]


def chain(model: str, vae: str, text: str | None = None) -> dict[str, Any]:
    """Text to picture: a model, the VAE of another, and the text encoder of a third."""
    return {
        "m": {"type": "load_model", "params": {"model": model}},
        "v": {"type": "load_vae", "params": {"model": vae}},
        "e": {"type": "load_text_encoder", "params": {"model": text or model}},
        "t": {"type": "encode_text", "inputs": {"text_encoder": "e.text_encoder"}},
        "l": {"type": "empty_latent", "inputs": {"model": "m.model"}},
        "s": {
            "type": "sample",
            "inputs": {"model": "m.model", "positive": "t.conditioning", "latent": "l.latent"},
        },
        "d": {"type": "vae_decode", "inputs": {"vae": "v.vae", "latent": "s.latent"}},
        "p": {"type": "save_image", "inputs": {"image": "d.image"}},
    }


def test_a_model_with_its_own_parts_goes_together(home: Path) -> None:
    for model in WRITERS:
        assert said(home, **chain(model, model)) == []


def test_families_that_share_a_latent_space_share_a_vae(home: Path) -> None:
    assert said(home, **chain("z", "flux")) == []
    assert said(home, **chain("base", "refiner")) == []


def test_a_foreign_vae_is_refused_with_the_nodes_between(home: Path) -> None:
    ((code, sentence),) = said(home, **chain("flux", "base"))
    assert code == "W601"
    assert "the VAE speaks sdxl" in sentence
    assert "VAE decode" in sentence
    assert "VAE encode" in sentence


def test_a_text_for_another_model_is_refused(home: Path) -> None:
    ((code, sentence),) = said(home, **chain("flux", "flux", "base"))
    assert code == "W601"
    assert "Encode it with the text encoder of this model" in sentence


def test_base_and_refiner_make_a_chain(home: Path) -> None:
    """The refiner goes on from the base's latent, with texts of its own."""
    nodes = chain("base", "base") | {
        "r": {"type": "load_model", "params": {"model": "refiner"}},
        "rt": {"type": "encode_text", "inputs": {"text_encoder": "r.text_encoder"}},
        "rs": {
            "type": "sample",
            "params": {"denoise": 0.3},
            "inputs": {"model": "r.model", "positive": "rt.conditioning", "latent": "s.latent"},
        },
    }
    nodes["d"]["inputs"]["latent"] = "rs.latent"
    assert said(home, **nodes) == []
    nodes["rs"]["inputs"]["positive"] = "t.conditioning"
    assert [code for code, _ in said(home, **nodes)] == ["W601"]


def test_a_lora_is_looked_at_while_editing(home: Path) -> None:
    """What its header tells is refused before anything loads: no LoRA, another family's, none."""
    half = (16, 4096)
    wan = {"blocks.0.self_attn.q": (5120, 5120), "blocks.0.cross_attn.k": (5120, 5120)}
    shapes = {}
    for name, (out, into) in wan.items():
        shapes[f"diffusion_model.{name}.lora_A.weight"] = (16, into)
        shapes[f"diffusion_model.{name}.lora_B.weight"] = (out, 16)
    safetensors(home / "wan.safetensors", shapes)
    safetensors(home / "none.safetensors", {"some.weight": half})

    def with_lora(file: str) -> str:
        nodes = chain("flux", "flux") | {
            "x": {"type": "lora", "params": {"file": file}, "inputs": {"model": "m.model"}}
        }
        nodes["s"]["inputs"]["model"] = "x.model"
        ((code, sentence),) = said(home, **nodes)
        assert code == "W601"
        return sentence

    assert "is a LoRA for Wan" in with_lora("wan.safetensors")
    assert "is no LoRA" in with_lora("none.safetensors")
    assert "gone.safetensors" in with_lora("gone.safetensors")


def test_a_size_that_the_model_cannot_make_is_refused_while_editing(home: Path) -> None:
    nodes = chain("base", "base")
    nodes["l"]["params"] = {"width": 33, "height": 64}
    ((code, sentence),) = said(home, **nodes)
    assert code == "W601"
    assert "nearest is 32x64" in sentence
    nodes["l"]["params"] = {"width": 32, "height": 64}
    assert said(home, **nodes) == []
