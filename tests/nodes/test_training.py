"""The node that trains an adapter: what it writes, how a cancel goes on, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from backend.sdk import Cancelled, Image, UserError
from backend.train.adapter.sets import write_set
from backend.values import Patch
from nodes.conditioning import encode_text
from nodes.latents import empty_latent
from nodes.loaders import load_model
from nodes.patches import lora
from nodes.references import reference_image
from nodes.sampling import sample
from nodes.training import TrainedAdapter, train_adapter
from tests.backend.models import tiny
from tests.backend.train.adapter.test_adapter import drawn
from tests.nodes.test_save_weights import Desk

PICTURE = Image(np.random.default_rng(1).random((1, 32, 32, 3), dtype=np.float32))


class Studio(Desk):
    """A context that reads a folder of the test."""

    def __init__(self, home: Path, cancel_after: int = -1) -> None:
        super().__init__(home / "out", cancel_after)
        self.folders = {"tiny": home / "tiny"}
        self.base = home

    def read(self, path: str) -> Path:
        return self.base / path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    torch.set_num_threads(1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tiny.write(tmp_path / "tiny")
    write_set(tmp_path / "set", drawn(3, 1))
    return tmp_path


def trained(ctx: Studio, steps: int = 4) -> TrainedAdapter:
    model = load_model(ctx, "tiny").model
    return train_adapter(
        ctx, model, "set", form="reference", rank=2, steps=steps, batch=2, levels=2, size=32,
        every=2, name="taught",
    )  # fmt: skip


def test_what_it_writes_goes_in_with_the_node_lora(home: Path) -> None:
    ctx = Studio(home)
    made = trained(ctx)
    assert made.file == "taught.safetensors"
    assert ctx.done[-1] == (4, 4)
    assert len(ctx.previews) == 1
    assert made.samples.pixels.shape[1:] == (3 * 32 + 2 * 6, 3 * 32 + 2 * 6, 3)
    found = load_model(ctx, "tiny")
    text = encode_text(ctx, found.text_encoder, "make it snow")
    with pytest.raises(UserError, match="lay on a LoRA that teaches it"):
        reference_image(ctx, text, found.vae, PICTURE)
    model = lora(ctx, found.model, f"out/{made.file}")
    told = reference_image(ctx, text, found.vae, PICTURE, model)
    latent = empty_latent(ctx, model, 32, 32)
    assert (
        sample(ctx, model, told, latent, told, steps=2, seed=1).samples.shape[-1]
        == latent.samples.shape[-1]
    )


def test_what_was_cancelled_goes_on(home: Path) -> None:
    broken = Studio(home, cancel_after=2)
    with pytest.raises(Cancelled):
        trained(broken)
    assert not broken.saved
    ctx = Studio(home)
    trained(ctx)
    assert [done for done, _ in ctx.done] == [3, 4]


def test_what_cannot_be_taught_is_refused(home: Path) -> None:
    ctx = Studio(home)
    model = load_model(ctx, "tiny").model
    with pytest.raises(UserError, match="Patches are laid over this model"):
        train_adapter(ctx, model.with_(Patch("rope", 1.0, {})), "set")
    with pytest.raises(UserError, match="is no folder"):
        train_adapter(ctx, model, "nothing")
    (home / "set" / "00000.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"00000\.png"):
        trained(ctx)
