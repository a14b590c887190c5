"""Files of weights that change while a process holds the model: told once, then read anew."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch

from backend.catalog.errors import CatalogError
from backend.catalog.folder import read_folder
from backend.engine.engine import make_store
from backend.memory.sheet import sheet_of
from backend.models.family import references
from backend.models.flux import FAMILY
from backend.models.store import Store
from backend.values import Model

WEIGHTS = Path("transformer/diffusion_pytorch_model.safetensors")
ROOM = 4 * 2**20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of Primer."""
    return Path(shutil.copytree(primer(), tmp_path / "primer"))


def primer() -> Path:
    return Path(__file__).parents[3] / "resources" / "models" / "primer"


def model_in(folder: Path) -> Model:
    return references(read_folder(folder), FAMILY).model


def streaming(folder: Path) -> tuple[Store, Model]:
    """A store with less room than the model takes, which was loaded, and of which nothing is there
    now."""
    store, model = make_store("cpu", ROOM), model_in(folder)
    assert isinstance(store, Store)
    store.get(model, "cpu")
    store.clear()
    return store, model


@pytest.mark.parametrize("change", ["rewritten", "cut", "gone"])
def test_files_that_come_back_are_read_anew_in_the_same_process(folder: Path, change: str) -> None:
    store, model = streaming(folder)
    file = folder / WEIGHTS
    if change == "rewritten":
        os.utime(file, (1, 1))
    elif change == "cut":
        os.truncate(file, 10**6)
    else:
        file.unlink()
    with pytest.raises(CatalogError, match=WEIGHTS.name):
        store.get(model, "cpu")
    shutil.copy(primer() / WEIGHTS, file)
    net = store.get(model, "cpu")
    weight = net.x_embedder.weight.clone()
    assert torch.equal(weight, make(primer()).x_embedder.weight)
    assert store.nbytes <= ROOM
    store.close()
    assert store.nbytes == 0


def make(folder: Path) -> torch.nn.Module:
    net: torch.nn.Module = FAMILY.load_part(read_folder(folder), "transformer", "cpu", "float32")
    sheet = sheet_of(net)
    assert sheet is not None
    sheet.fill()
    return net
