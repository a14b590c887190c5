from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from backend.models.keys_file import FAMILY, LAYERS, RATIO
from backend.models.lora.adapter import identity
from backend.sdk import UserError, facts_of
from backend.values import Model, Patch
from nodes.compression import compress_keys
from tests.nodes.fake_device import FakeDevice

MODEL = Model("pixart", "transformer", "fast:1", "/somewhere")


class Granting(FakeDevice):
    """The fake context, which may read what lies in one folder; it serves as lookup too."""

    def __init__(self, folder: Path) -> None:
        super().__init__({})
        self.folder = folder

    def read(self, path: str) -> Path:
        return self.folder / path

    def file(self, path: str) -> Path:
        return self.folder / path


@pytest.fixture
def granting(tmp_path: Path) -> Granting:
    """A folder with a file that was tuned for PixArt with a ratio of 2 in layers 3 and 5."""
    said = {RATIO: "2", LAYERS: "3,5", FAMILY: "pixart"}
    save_file({"compressed_keys.3.key": torch.zeros(4, 2, 2)}, tmp_path / "tuned.safetensors", said)
    save_file({"other": torch.zeros(1)}, tmp_path / "other.safetensors")
    return Granting(tmp_path)


def test_compression_is_a_patch_on_the_reference() -> None:
    made = compress_keys(FakeDevice({}), MODEL, ratio="4", layers=(3, 5), end=0.4)
    said = {"ratio": 4, "layers": (3, 5), "begin": 0.0, "end": 0.4}
    assert made.patches == (Patch("compressed_keys", 1.0, said),)
    assert made.identity == MODEL.identity


def test_a_ratio_of_1_leaves_the_reference_as_it_is(granting: Granting) -> None:
    assert compress_keys(granting, MODEL, ratio="1") is MODEL
    assert compress_keys(granting, MODEL, ratio="1", file="tuned.safetensors") is MODEL


def test_a_tuned_file_says_which_layers(granting: Granting) -> None:
    made = compress_keys(granting, MODEL, ratio="2", file="tuned.safetensors")
    path = granting.folder / "tuned.safetensors"
    said = {"ratio": 2, "layers": (3, 5), "begin": 0.0, "end": 1.0}
    assert made.patches == (Patch("compressed_keys", 1.0, said, identity(path), str(path)),)


@pytest.mark.parametrize(
    ("file", "family", "ratio", "said"),
    [
        ("tuned.safetensors", "flux", "2", "tuned for a model of the family pixart"),
        ("tuned.safetensors", "pixart", "4", "tuned for a ratio of 2, not 4"),
        ("other.safetensors", "pixart", "2", "does not say that it was tuned"),
        ("gone.safetensors", "pixart", "2", "gone.safetensors"),
    ],
)
def test_files_that_do_not_fit_are_refused_while_editing_and_when_run(
    granting: Granting, file: str, family: str, ratio: str, said: str
) -> None:
    model = Model(family, "transformer", "fast:1", "/somewhere")
    with pytest.raises(UserError, match=said):
        compress_keys(granting, model, ratio=ratio, file=file)  # type: ignore[arg-type]
    known = facts_of("Model", family=family)
    settings = SimpleNamespace(file=file, ratio=ratio, lookup=granting)
    with pytest.raises(UserError, match=said):
        compress_keys.hooks["facts"](settings, model=known)


def test_facts_go_through(granting: Granting) -> None:
    hook, known = compress_keys.hooks["facts"], facts_of("Model", family="pixart")
    for file in ("", "tuned.safetensors"):
        assert hook(SimpleNamespace(file=file, ratio="2", lookup=granting), model=known) == known
    nothing = SimpleNamespace(file="gone", ratio="2", lookup=granting)
    assert hook(nothing, model=None) == facts_of("Model")
