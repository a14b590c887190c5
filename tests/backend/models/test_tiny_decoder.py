"""Tiny decoders: both layouts give what diffusers gives, and time for them is limited."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny
from safetensors.torch import save_file

from backend.catalog.errors import CatalogError
from backend.models.tiny_decoder import LOADER, TinyDecoder, TinyView, read_layout, reference

TAESD = {"latent_channels": 4}
TAEF1 = {"latent_channels": 16}
SMALL = {
    "latent_channels": 4,
    "encoder_block_out_channels": (8, 8),
    "decoder_block_out_channels": (8, 8),
    "num_encoder_blocks": (1, 1),
    "num_decoder_blocks": (2, 1),
}


def tiny_vae(**config: object) -> AutoencoderTiny:
    torch.manual_seed(3)
    return AutoencoderTiny(**config).eval()


def original(vae: AutoencoderTiny, prefix: str = "") -> dict[str, torch.Tensor]:
    """The decoder's tensors as TAESD's own files name them: counted from the clamp."""
    named = {}
    for name, tensor in vae.decoder.state_dict().items():
        _, number, rest = name.split(".", 2)
        named[f"{prefix}{int(number) + 1}.{rest}"] = tensor
    return named


def write(path: Path, form: str, vae: AutoencoderTiny) -> Path:
    """A tiny VAE on disk; ``form`` is a folder, or a single file in one of the layouts."""
    if form == "folder":
        vae.save_pretrained(path / "folder")
        return path / "folder"
    tensors: Mapping[str, torch.Tensor] = {
        "diffusers": vae.state_dict(),
        "diffusers decoder": {f"decoder.{n}": t for n, t in vae.decoder.state_dict().items()},
        "original": original(vae),
        "original, prefixed": original(vae, "taesd_decoder."),
    }[form]
    save_file({n: t.contiguous() for n, t in tensors.items()}, path / "tiny.safetensors")
    return path / "tiny.safetensors"


@pytest.mark.parametrize(
    "form", ["folder", "diffusers", "diffusers decoder", "original", "original, prefixed"]
)
@pytest.mark.parametrize("config", [TAESD, TAEF1, SMALL], ids=["taesd", "taef1", "small"])
def test_every_layout_gives_what_diffusers_gives(
    form: str, config: dict[str, object], tmp_path: Path
):
    vae = tiny_vae(**config)
    path = write(tmp_path, form, vae)
    latent = torch.randn(2, vae.config.latent_channels, 6, 4)
    with torch.no_grad():
        wanted = (vae.decode(latent).sample / 2 + 0.5).clamp(0, 1)
    decoder = LOADER.load(reference(str(path)), "cpu")
    assert decoder.channels == vae.config.latent_channels
    found = torch.from_numpy(decoder.decode(latent).pixels.copy()).permute(0, 3, 1, 2)
    assert torch.allclose(found, wanted, atol=1e-6)
    assert decoder.nbytes == sum(p.nbytes for p in vae.decoder.parameters())


def test_a_folder_may_scale_its_latents_and_choose_its_functions(tmp_path: Path):
    vae = tiny_vae(
        **SMALL, scaling_factor=0.5, shift_factor=0.25, act_fn="silu", upsample_fn="bilinear"
    )
    latent = torch.randn(1, 4, 6, 4)
    with torch.no_grad():
        wanted = (vae.decode(latent / 0.5 + 0.25).sample / 2 + 0.5).clamp(0, 1)
    decoder = LOADER.load(reference(str(write(tmp_path, "folder", vae))), "cpu")
    found = torch.from_numpy(decoder.decode(latent).pixels.copy()).permute(0, 3, 1, 2)
    assert torch.allclose(found, wanted, atol=1e-6)


def without_a_middle(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: t for name, t in tensors.items() if not name.startswith("7.")}


def only_an_encoder(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    encoder = tiny_vae(**TAESD).encoder.state_dict()
    return {name.removeprefix("layers."): tensor for name, tensor in encoder.items()}


def a_lora(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {"lora_unet_x.lora_up.weight": torch.zeros(4, 4)}


@pytest.mark.parametrize("change", [without_a_middle, only_an_encoder, a_lora])
def test_what_is_no_tiny_decoder_is_refused_by_its_header(change, tmp_path: Path):
    save_file(
        {n: t.contiguous() for n, t in change(original(tiny_vae(**TAESD))).items()},
        tmp_path / "other.safetensors",
    )
    with pytest.raises(CatalogError, match="is no tiny decoder as TAESD and TAEF1 are"):
        read_layout(tmp_path / "other.safetensors")


def test_a_pickle_and_a_missing_file_are_refused(tmp_path: Path):
    (tmp_path / "taesd_decoder.pth").write_bytes(b"PK")
    with pytest.raises(CatalogError, match="no other kind is read"):
        read_layout(tmp_path / "taesd_decoder.pth")
    with pytest.raises(CatalogError, match="cannot be read"):
        reference(str(tmp_path / "gone.safetensors"))
    with pytest.raises(CatalogError, match="cannot be read"):
        read_layout(tmp_path)


def test_weights_that_do_not_fit_and_settings_without_sense_are_told(tmp_path: Path):
    tensors = original(tiny_vae(**TAESD))
    tensors["3.conv.2.bias"] = torch.zeros(5)
    save_file({n: t.contiguous() for n, t in tensors.items()}, tmp_path / "odd.safetensors")
    with pytest.raises(CatalogError, match="does not load as a tiny decoder"):
        LOADER.load(reference(str(tmp_path / "odd.safetensors")), "cpu")
    folder = write(tmp_path, "folder", tiny_vae(**SMALL))
    settings = json.loads((folder / "config.json").read_text())
    for wrong in ({"act_fn": "os.system"}, {"scaling_factor": "half"}, {"scaling_factor": 0}):
        (folder / "config.json").write_text(json.dumps(settings | wrong))
        with pytest.raises(CatalogError, match="does not load as a tiny decoder"):
            LOADER.load(reference(str(folder)), "cpu")


class Clock:
    """Seconds that pass when told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Slow(TinyDecoder):
    """A decoder that takes two seconds."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(tiny_vae(**SMALL).decoder, 4)
        object.__setattr__(self, "clock", clock)

    def decode(self, samples: torch.Tensor):
        self.clock.now += 2  # type: ignore[attr-defined]
        return super().decode(samples)


def test_a_slow_decoder_takes_a_tenth_of_the_time():
    clock = Clock()
    view, shown = TinyView(Slow(clock), clock), []
    for step in range(100):
        clock.now += 1
        if view(torch.randn(1, 4, 4, 4)) is not None:
            shown.append(step)
    assert shown[0] == 0, "the first step is shown"
    assert 4 <= len(shown) <= 7
    assert 2 * (len(shown) - 1) <= 0.1 * clock.now


def test_only_the_first_sample_is_decoded_and_large_ones_smaller():
    view = TinyView(TinyDecoder(tiny_vae(**SMALL).decoder, 4))
    shown = view(torch.randn(3, 4, 300, 200))
    assert shown is not None
    assert shown.pixels.shape == (1, 2 * 100, 2 * 67, 3)
    assert np.isfinite(shown.pixels).all()
