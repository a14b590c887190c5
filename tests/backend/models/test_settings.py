"""Model folders with other settings and other files than the usual ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.transformers.transformer_flux import FluxTransformer2DModel

from backend.catalog.errors import CatalogError
from backend.catalog.folder import read_folder
from backend.models.family import families, read_facts, references
from backend.models.flux import FAMILY
from backend.models.settings import spacing
from backend.models.store import Store
from backend.sdk import UserError
from nodes.loaders import link_facts, load_model
from tests.nodes.fake_device import FakeDevice


@pytest.fixture
def folder(flux_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(flux_folder, tmp_path / "model"))


def change(file: Path, **values: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


SENSELESS: list[tuple[str, dict[str, Any], str]] = [
    ("transformer/config.json", {"in_channels": "sixteen"}, "holds a value"),
    ("transformer/config.json", {"num_attention_heads": None}, "holds a value"),
    ("vae/config.json", {"block_out_channels": 7}, "holds a value"),
    ("vae/config.json", {"scaling_factor": None}, "holds a value"),
    ("vae/config.json", {"scaling_factor": 0}, "above 0"),
    ("scheduler/scheduler_config.json", {"use_dynamic_shifting": False, "shift": "x"}, "a value"),
    ("scheduler/scheduler_config.json", {"invert_sigmas": True}, "invert_sigmas"),
    ("scheduler/scheduler_config.json", {"stochastic_sampling": True}, "stochastic_sampling"),
    ("tokenizer/tokenizer_config.json", {"model_max_length": "many"}, "holds a value"),
    ("tokenizer/tokenizer_config.json", {"model_max_length": 77}, "places for 24"),
    ("model_index.json", {"scheduler": ["diffusers", "DDIMScheduler"]}, "DDIMScheduler"),
]


@pytest.mark.parametrize(("file", "values", "said"), SENSELESS)
def test_senseless_settings_are_named_before_a_run(
    file: str, values: dict[str, Any], said: str, folder: Path
) -> None:
    change(folder / file, **values)
    with pytest.raises(UserError, match=said):
        load_model(FakeDevice({"model": folder}), "model")
    assert link_facts(FakeDevice({"model": folder}), "model")["model"].type == "Model"


def test_tokens_that_the_encoder_lacks_are_named(folder: Path) -> None:
    known = references(read_folder(folder), FAMILY)
    store = Store(families(), 2**30)
    clip = store.get(known.text, "cpu")
    clip.config.vocab_size = 5
    with pytest.raises(CatalogError, match="encoder knows 5"):
        FAMILY.encode_text(known.text, ["a red circle"], {}, lambda w: store.get(w, "cpu"), "cpu")


def test_the_schedulers_spacing_is_followed(folder: Path) -> None:
    change(folder / "scheduler/scheduler_config.json", use_karras_sigmas=True)
    found, store = references(read_folder(folder), FAMILY), Store(families(), 2**30)
    process = FAMILY.denoiser(found.model, lambda w: store.get(w, "cpu"), "cpu").process
    assert process.spacing == "karras"
    assert spacing({"use_beta_sigmas": True, "use_karras_sigmas": False}) == "beta"


@pytest.mark.parametrize("size", ["1GB", "20KB"], ids=["one file", "shards"])
def test_weights_of_a_variant_load(size: str, folder: Path, flux_folder: Path) -> None:
    place = folder / "transformer"
    net = FluxTransformer2DModel.from_pretrained(str(place), local_files_only=True)
    (place / "diffusion_pytorch_model.safetensors").unlink()
    net.to(torch.float16).save_pretrained(str(place), variant="fp16", max_shard_size=size)
    store = Store(families(), 2**30)
    loaded = store.get(references(read_folder(folder), FAMILY).model, "cpu")
    plain = store.get(references(read_folder(flux_folder), FAMILY).model, "cpu")
    ours, theirs = loaded.context_embedder.weight, plain.context_embedder.weight
    assert ours.dtype == torch.float32
    assert np.array_equal(ours.numpy(), theirs.half().float().numpy())


def test_a_sound_folder_keeps_its_facts(flux_folder: Path) -> None:
    assert read_facts(FAMILY, read_folder(flux_folder)).family == "flux"
