from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from backend.sdk import UserError
from nodes.loaders import load_model, load_model_files, load_text_encoder, load_vae
from tests.backend.models import tiny
from tests.nodes.fake_device import FakeDevice


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("flux"))


def test_load_model_gives_references_and_loads_nothing(folder: Path) -> None:
    ctx = FakeDevice({"primer": folder})
    found = load_model(ctx, "primer")
    assert (found.model.family, found.model.part) == ("flux", "transformer")
    assert (found.text_encoder.part, found.vae.part) == ("text_encoder", "vae")
    assert found.model.identity.startswith("blake3:")
    assert ctx.store.nbytes == 0
    assert load_vae(ctx, "primer") == found.vae
    assert load_text_encoder(ctx, "primer") == found.text_encoder


def test_a_folder_that_is_no_model_is_explained(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"model_index\.json"):
        load_model(FakeDevice({"x": tmp_path}), "x")


def test_facts_come_from_headers(folder: Path) -> None:
    ctx = FakeDevice({"primer": folder})
    found = load_model(ctx, "primer")
    known = load_model.hooks["facts"](SimpleNamespace(model="primer", lookup=ctx))
    assert known["model"].family == "flux"
    assert known["model"].space == known["vae"].space == found.vae.space
    assert known["model"].text_space == known["text_encoder"].space == found.text_encoder.space
    assert known["vae"].bytes > 0


def test_facts_of_an_unknown_model_are_only_types() -> None:
    known = load_model.hooks["facts"](SimpleNamespace(model="?", lookup=FakeDevice({})))
    assert {name: facts.type for name, facts in known.items()} == {
        "model": "Model",
        "text_encoder": "TextEncoder",
        "vae": "VAE",
    }
    assert known["model"].family is None


def test_model_files_without_a_denoiser_are_refused_while_editing() -> None:
    chosen = SimpleNamespace(
        denoiser="", second="", text_encoder="t5", text_encoder_2="", text_encoder_3="", vae=""
    )
    with pytest.raises(UserError, match="No file is chosen for the denoiser"):
        load_model_files.hooks["facts"](chosen)


def test_the_nodes_import_without_torch() -> None:
    code = (
        "import sys, nodes.loaders, nodes.conditioning, nodes.latents, nodes.sampling\n"
        "print(sorted({'torch', 'diffusers', 'transformers'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
