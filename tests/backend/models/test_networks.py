"""Networks that Weft reads the weights of equal those that the libraries load."""

from __future__ import annotations

import importlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from backend.catalog.components import Bare, settings_component
from backend.catalog.errors import CatalogError
from backend.catalog.folder import read_folder
from backend.diffusion.sample import sample
from backend.memory import sheet as sheets
from backend.memory.held import HeldTensor
from backend.memory.sheet import fill, sheet_of
from backend.models.bare import load_bare
from backend.models.family import describe, families, recognise, references
from backend.models.loading import load_module
from backend.models.store import Store, component_bytes
from backend.values import Guider, Latent, Noise, Schedule, Solver, Term
from tests.backend.models import (
    tiny_chroma,
    tiny_flux2,
    tiny_lumina2,
    tiny_pixart,
    tiny_qwen,
    tiny_sana,
    tiny_sd3,
    tiny_sd15,
    tiny_sdxl,
    tiny_wan,
    tiny_z_image,
)
from tests.backend.models.test_bare import drawn
from tests.backend.models.test_seams import far
from tests.resources.layouts import LAYOUTS

WRITERS: dict[str, Callable[[Path], Path]] = {
    "chroma": tiny_chroma.write,
    "flux2": tiny_flux2.write,
    "lumina2": tiny_lumina2.write,
    "pixart": tiny_pixart.write,
    "qwen": tiny_qwen.write,
    "sana": tiny_sana.write,
    "sd15": tiny_sd15.write,
    "sd3": tiny_sd3.write,
    "sdxl": tiny_sdxl.write,
    "wan": tiny_wan.write,
    "z_image": tiny_z_image.write,
}
FORMS = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


@pytest.fixture(scope="module", params=WRITERS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return WRITERS[request.param](tmp_path_factory.mktemp("tiny") / request.param)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> None:
    """However small a network is, its weights stay as they are stored."""
    monkeypatch.setattr(sheets, "WIDEN", -1)


def stored_as(folder: Path, target: Path, form: str) -> Path:
    """A copy of a model with its weights in another precision."""
    shutil.copytree(folder, target)
    for file in target.rglob("*.safetensors"):
        floats = {n: t.to(FORMS[form]) if t.is_floating_point() else t
                  for n, t in load_file(file).items()}  # fmt: skip
        save_file(floats, file, {"format": "pt"})
    return target


def networks(folder: Path) -> list[Any]:
    found = [c for c in read_folder(folder).components.values() if c.nbytes]
    assert found
    return found


def by_library(component: Any) -> Any:
    library = "diffusers" if component.library == "diffusers" else "transformers"
    kind = getattr(importlib.import_module(library), component.kind)
    named = "torch_dtype" if library == "diffusers" else "dtype"
    module = kind.from_pretrained(
        str(component.path), local_files_only=True, **{named: torch.float32}
    )
    return module.requires_grad_(False).eval()


def by_weft(component: Any) -> Any:
    library = "diffusers" if component.library == "diffusers" else "transformers"
    kind = getattr(importlib.import_module(library), component.kind)
    return load_module(library, kind, component.path, "cpu", "float32")


def dense(value: torch.Tensor) -> torch.Tensor:
    return value.dense() if isinstance(value, HeldTensor) else value.detach()


def same(ours: nn.Module, theirs: nn.Module) -> None:
    """Parameters and buffers are equal bit for bit, under the same names, and tied where they are
    tied there."""
    for names in ("named_parameters", "named_buffers"):
        mine = dict(getattr(ours, names)(remove_duplicate=False))
        other = dict(getattr(theirs, names)(remove_duplicate=False))
        assert mine.keys() == other.keys()
        for name, value in other.items():
            found = dense(mine[name])
            assert found.dtype == value.dtype, name
            assert torch.equal(found, value), name
    assert len(list(ours.parameters())) == len(list(theirs.parameters()))
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    assert not any(p.requires_grad for p in ours.parameters())
    assert not any(m.training for m in ours.modules())


@pytest.mark.parametrize("form", FORMS)
def test_the_weights_are_those_that_the_library_loads(
    folder: Path, form: str, tmp_path: Path, held: None
) -> None:
    for component in networks(stored_as(folder, tmp_path / "model", form)):
        theirs, ours = by_library(component), by_weft(component)
        assert component_bytes(ours) < component_bytes(theirs) / 8  # buffers are there
        same(ours, theirs)
        fill(ours)
        same(ours, theirs)
        kept = [p for p in ours.parameters() if isinstance(p, HeldTensor)]
        assert bool(kept) == (form != "F32")
        assert len(sheet_of(ours).stored) == len(list(theirs.parameters()))


def picture(folder: Path, by: Callable[[Any], Any]) -> tuple[np.ndarray, np.ndarray]:
    """Latents and pictures of a short run with networks that ``by`` loads."""
    found = read_folder(folder)
    family, store, made = recognise(found, families()), Store(families(), 2**30), {}
    refs = references(found, family)

    def load(weights: Any) -> Any:
        component = found.components[weights.part]
        if not component.nbytes:
            return store.get(weights, "cpu")
        return made.setdefault(weights.part, by(component))

    text = family.encode_text(refs.text, ["a red circle"], {}, load, "cpu")
    shape = describe(refs.vae).geometry.shape(48, 64, 1)
    latent = sample(
        family.denoiser(refs.model, load, "cpu"),
        Guider("none", {}, refs.model, (Term("positive", text),)),
        Solver("euler"),
        Schedule("native", steps=2),
        Noise("gaussian", seed=1),
        Latent(np.zeros(shape, np.float32), refs.vae.space),
    )
    return latent.samples, family.decode_latent(refs.vae, latent, load, "cpu").pixels


def test_runs_with_weights_that_stay_as_stored_equal_runs_with_the_librarys(
    folder: Path, tmp_path: Path, held: None
) -> None:
    half = stored_as(folder, tmp_path / "model", "F16")

    def filled(component: Any) -> Any:
        module = by_weft(component)
        fill(module)
        return module

    truth = picture(half, by_library)
    for way in (filled, by_weft):  # there beforehand, and each read when it is needed
        for ours, theirs in zip(picture(half, way), truth, strict=True):
            # Kernels choose how they round by where in memory weights lie.
            assert far(ours, theirs) < 1e-6


@pytest.mark.parametrize(("part", "file", "name", "said"), [
    ("unet", "diffusion_pytorch_model.safetensors", "conv_in.bias", r"conv_in.bias is \(3,\)"),
    ("text_encoder", "model.safetensors", "final_layer_norm.bias", "mismatched"),
])  # fmt: skip
def test_a_shape_that_the_config_does_not_ask_for_is_told(
    tmp_path: Path, part: str, file: str, name: str, said: str
) -> None:
    model = tiny_sd15.write(tmp_path / "model")
    tensors = load_file(model / part / file)
    (name,) = (each for each in tensors if each.endswith(name))
    tensors[name] = torch.zeros(3)
    save_file(tensors, model / part / file)
    (component,) = (c for c in networks(model) if c.name == part)
    with pytest.raises(CatalogError, match=rf"{said}.*from the same source"):
        by_weft(component)


@pytest.mark.parametrize(("part", "file"), [
    ("unet", "diffusion_pytorch_model.safetensors"), ("text_encoder", "model.safetensors"),
])  # fmt: skip
def test_weights_that_are_missing_are_counted_and_named(
    tmp_path: Path, part: str, file: str
) -> None:
    model = tiny_sd15.write(tmp_path / "model")
    tensors = load_file(model / part / file)
    gone = sorted(tensors)[:2]
    save_file({n: t for n, t in tensors.items() if n not in gone}, model / part / file)
    (component,) = (c for c in networks(model) if c.name == part)
    with pytest.raises(CatalogError, match=f"lacks 2 of the weights.*{gone[0]}"):
        by_weft(component)


def test_precisions_may_be_mixed_in_one_file(tmp_path: Path, held: None) -> None:
    model = tiny_sd15.write(tmp_path / "model")
    file = model / "unet" / "diffusion_pytorch_model.safetensors"
    forms = [torch.float32, torch.float16, torch.bfloat16]
    mixed = {n: t.to(forms[k % 3]) for k, (n, t) in enumerate(load_file(file).items())}
    save_file(mixed, file)
    (component,) = (c for c in networks(model) if c.name == "unet")
    ours = by_weft(component)
    fill(ours)
    same(ours, by_library(component))


def cut(folder: Path) -> None:
    file = folder / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:-9])


def lie(folder: Path) -> None:
    """The header says that one weight is where another one is."""
    file = folder / "diffusion_pytorch_model.safetensors"
    raw = file.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    table = json.loads(raw[8 : 8 + size])
    first, second = [name for name in table if name != "__metadata__"][:2]
    table[first]["data_offsets"] = table[second]["data_offsets"]
    text = json.dumps(table).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + size :])


def lose_a_shard(folder: Path) -> None:
    file = folder / "diffusion_pytorch_model.safetensors"
    name = "diffusion_pytorch_model-0000{}-of-00002.safetensors"
    table = {n: name.format(1 + k % 2) for k, n in enumerate(load_file(file))}
    index = folder / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": table}))
    file.rename(folder / name.format(1))


@pytest.mark.parametrize(("harm", "said"), [
    (cut, "cut short.*Download or copy the file again"),
    (lie, "not a sound safetensors file.*Get the file again"),
    (lose_a_shard, "lacks 1 of 2 weight files.*Get the missing files"),
])  # fmt: skip
def test_files_that_are_broken_are_named(
    tmp_path: Path, harm: Callable[[Path], None], said: str
) -> None:
    model = tiny_sd15.write(tmp_path / "model")
    (component,) = (c for c in networks(model) if c.name == "unet")
    harm(model / "unet")
    with pytest.raises(CatalogError, match=said) as caught:
        by_weft(component)
    assert str(model / "unet") in str(caught.value)


def test_a_file_that_is_cut_while_its_weights_are_read_is_named(tmp_path: Path) -> None:
    model = tiny_sd15.write(tmp_path / "model")
    (component,) = (c for c in networks(model) if c.name == "unet")
    module = by_weft(component)
    cut(model / "unet")
    with pytest.raises(CatalogError, match=r"was cut short.*Download or copy the file again"):
        fill(module)
    assert not sheet_of(module).present()


def test_shards_are_read_as_one(tmp_path: Path, held: None) -> None:
    model = tiny_sd15.write(tmp_path / "model")
    folder, whole = model / "unet", tmp_path / "whole"
    shutil.copytree(model, whole)
    weights = load_file(folder / "diffusion_pytorch_model.safetensors")
    lose_a_shard(folder)
    index = json.loads((folder / "diffusion_pytorch_model.safetensors.index.json").read_text())
    for shard in set(index["weight_map"].values()):
        there = {n: weights[n] for n, s in index["weight_map"].items() if s == shard}
        save_file(there, folder / shard, {"format": "pt"})
    (one,), (other,) = ([c for c in networks(f) if c.name == "unet"] for f in (model, whole))
    ours = by_weft(one)
    fill(ours)
    same(ours, by_library(other))


@pytest.mark.parametrize(("model", "part"), [
    ("sana", "transformer"), ("sd3", "transformer"),
    ("wan", "transformer"), ("z_image", "transformer"), ("sd15", "unet"), ("sd15", "vae"),
])  # fmt: skip
def test_files_in_the_authors_names_are_not_read_to_be_converted(
    tmp_path: Path, held: None, model: str, part: str
) -> None:
    """Converters split and swap rows; where those lie in the file says it all."""
    folder = WRITERS[model](tmp_path / "model")
    (component,) = (c for c in networks(folder) if c.name == part)
    file = tmp_path / "original.safetensors"
    tensors = {n: t.half() for n, t in drawn(component.kind, component.config, 1).items()}
    save_file(tensors, file)
    kind = getattr(diffusers, component.kind)
    ours = load_bare(
        "diffusers", kind, replace(component, bare=Bare(file, "original")), "cpu", "float32"
    )
    assert len(sheet_of(ours).stored) == len(list(ours.parameters()))
    if part == "unet":
        tensors = {f"model.diffusion_model.{n}": t for n, t in tensors.items()}
    theirs = kind.from_single_file(
        tensors, config=str(folder), subfolder=part, local_files_only=True,
        torch_dtype=torch.float32,
    )  # fmt: skip
    theirs.requires_grad_(False).eval()
    same(ours, theirs)
    fill(ours)
    same(ours, theirs)


def test_flux_of_full_size_is_known_without_reading_its_24_gb(tmp_path: Path) -> None:
    """The file is a header and a hole: nobody could read it."""
    home = Path(__file__).parents[3] / "resources/configs/flux-dev/transformer"
    component = settings_component(home, "transformer", "diffusers", "FluxTransformer2DModel")
    file = tmp_path / "flux1-dev.safetensors"
    table, place = {}, 0
    for name, shape in LAYOUTS[component.kind](component.config).items():
        end = place + 2 * prod(shape)
        table[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [place, end]}
        place = end
    text = json.dumps(table).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text)
    os.truncate(file, 8 + len(text) + place)
    kind = diffusers.FluxTransformer2DModel
    component = replace(component, bare=Bare(file, "original"))
    module = load_bare("diffusers", kind, component, "cpu", "float32")
    sheet = sheet_of(module)
    assert len(sheet.stored) == len(list(module.parameters()))
    assert sheet.nbytes() > 23.7e9
    assert sum(each.nbytes for each in sheet.stored.values()) == place
    start = 8 + len(text)

    def ranges(name: str) -> list[tuple[int, int]]:
        return [(offset - start, length) for offset, length in sheet.stored[name].ranges]

    first, _ = table["double_blocks.3.img_attn.qkv.weight"]["data_offsets"]
    third = 3072 * 3072 * 2
    assert ranges("transformer_blocks.3.attn.to_k.weight") == [(first + third, third)]
    first, end = table["final_layer.adaLN_modulation.1.weight"]["data_offsets"]
    half = (first + end) // 2
    swapped = [(half, end - half), (first, half - first)]
    assert ranges("norm_out.linear.weight") == swapped
