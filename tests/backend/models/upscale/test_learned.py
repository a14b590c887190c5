"""Learned upscalers through Spandrel, on tiny networks of its own architectures."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from backend.catalog.errors import CatalogError
from backend.models.loaders import loaders
from backend.models.upscale.guarded import INSTALL, spandrel
from backend.models.upscale.learned import FAMILY_NAME, Learned, UpscalerLoader, reference

needs_spandrel = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("spandrel", "einops")),
    reason=f"Spandrel is not installed: {INSTALL}",
)
LOADER = UpscalerLoader()


def network(kind: str) -> Any:
    spandrel()
    torch.manual_seed(3)
    if kind == "span":
        from spandrel.architectures.SPAN import SPAN

        return SPAN(num_in_ch=3, num_out_ch=3, feature_channels=8, upscale=2, norm=False)
    from spandrel.architectures.ESRGAN import ESRGAN

    return ESRGAN(num_filters=8, num_blocks=1, scale=4)


def file_of(module: Any, path: Path) -> Path:
    save_file({name: value.contiguous() for name, value in module.state_dict().items()}, path)
    return path


@needs_spandrel
@pytest.mark.parametrize(("kind", "scale"), [("span", 2), ("esrgan", 4)])
def test_a_file_is_known_by_its_tensors_and_does_what_its_network_does(
    kind: str, scale: int, tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    module = network(kind).eval()
    path = file_of(module, tmp_path / "any-name.safetensors")
    loaded = LOADER.load(reference(path), "cpu")
    assert (loaded.scale, loaded.channels, loaded.whole) == (scale, 3, False)
    assert loaded.nbytes == sum(p.numel() * 4 for p in module.parameters())
    pixels = np.random.default_rng(1).random((18, 21, 3), np.float32)
    made = loaded(pixels)
    assert made.shape == (18 * scale, 21 * scale, 3)
    with torch.no_grad():
        own = module(torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None])[0]
    assert np.abs(made - own.clamp(0, 1).permute(1, 2, 0).numpy()).max() < 1e-5
    assert "torchvision" not in sys.modules or importlib.util.find_spec("torchvision")


@needs_spandrel
def test_what_is_no_upscaler_is_told(tmp_path: Path) -> None:
    strange = tmp_path / "lora.safetensors"
    save_file({"a.lora_A.weight": torch.zeros(2, 2)}, strange)
    with pytest.raises(CatalogError, match="knows no upscaler with the tensors of lora"):
        LOADER.load(reference(strange), "cpu")
    torn = file_of(network("esrgan"), tmp_path / "torn.safetensors")
    tensors = load_file(torn)
    tensors["model.0.weight"] = torch.zeros(8, 5, 3, 3)[:, :3].contiguous() * torch.nan
    del tensors["model.3.weight"]
    save_file(tensors, torn)
    with pytest.raises(CatalogError, match="torn"):
        LOADER.load(reference(torn), "cpu")


def test_pickles_are_refused_with_a_way_to_convert(tmp_path: Path) -> None:
    pickled = tmp_path / "4x.pth"
    torch.save({"a": torch.zeros(2)}, pickled)
    renamed = tmp_path / "4x.safetensors"
    renamed.write_bytes(pickled.read_bytes())
    for path in (pickled, renamed):
        with pytest.raises(CatalogError, match=r"is a pickle.*safetensors\.torch\.save_file"):
            reference(path)


def test_broken_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="cannot be read"):
        reference(tmp_path / "gone.safetensors")
    (tmp_path / "short.safetensors").write_bytes(b"\x20\0\0\0\0\0\0\0{}")
    with pytest.raises(CatalogError, match="cut short"):
        reference(tmp_path / "short.safetensors")
    save_file({}, tmp_path / "empty.safetensors")
    with pytest.raises(CatalogError, match="no weights"):
        reference(tmp_path / "empty.safetensors")


def test_a_network_that_gives_another_size_is_told() -> None:
    liar = SimpleNamespace(parameters=list)
    learned = Learned(lambda x: x, 2, 3, False, "Liar", "cpu")
    assert not Learned(liar, 2, 3, False, "Liar", "cpu").nbytes
    with pytest.raises(CatalogError, match=r"made \[1, 3, 4, 4\] of a piece, not \[1, 3, 8, 8\]"):
        learned(np.zeros((4, 4, 3), np.float32))


def test_the_store_finds_the_loader() -> None:
    assert isinstance(loaders()[FAMILY_NAME], UpscalerLoader)
