"""Models from single files, a file per part, 8-bit floats and GGUF equal their folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.loaders.single_file_utils import (
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
    convert_open_clip_checkpoint,
    convert_z_image_transformer_checkpoint_to_diffusers,
)
from safetensors.torch import load_file, save_file
from torch import Tensor

from backend.catalog.errors import CatalogError
from backend.catalog.folder import ModelFolder, read_folder
from backend.catalog.source import open_files, open_model, read_source
from backend.diffusion.sample import sample
from backend.models.family import families, part_of, recognise, references
from backend.models.store import Store
from backend.values import Guider, Latent, Noise, Schedule, Solver, Term
from tests.backend.models import tiny_sdxl, tiny_z_image
from tests.backend.models.test_seams import far
from tests.resources.layouts import LAYOUTS

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Kind:
    """One family: how a tiny folder of it is written, where its parts stand in a checkpoint, and
    for parts with names of their authors' own the layout and what turns it into diffusers'."""

    family: str
    write: Callable[[Path], Path]
    prefixes: dict[str, str]
    originals: dict[str, tuple[str, Callable[[Tensors, dict[str, Any]], Tensors]]]
    denoiser: str = "transformer"
    texts: tuple[str, ...] = ("text_encoder",)


def z_image_names(tensors: Tensors, config: dict[str, Any]) -> Tensors:
    return convert_z_image_transformer_checkpoint_to_diffusers(tensors)


def unet_names(tensors: Tensors, config: dict[str, Any]) -> Tensors:
    prefixed = {f"model.diffusion_model.{name}": tensor for name, tensor in tensors.items()}
    return convert_ldm_unet_checkpoint(prefixed, config)


def vae_names(tensors: Tensors, config: dict[str, Any]) -> Tensors:
    return convert_ldm_vae_checkpoint(tensors, config)


def clip_names(tensors: Tensors, config: dict[str, Any]) -> Tensors:
    empty = SimpleNamespace(config=SimpleNamespace(hidden_size=config["hidden_size"]))
    return convert_open_clip_checkpoint(empty, tensors, prefix="")


KINDS = {
    "z_image": Kind(
        "z_image",
        tiny_z_image.write,
        {
            "transformer": "model.diffusion_model.",
            "vae": "vae.",
            "text_encoder": "text_encoders.qwen3_4b.transformer.",
        },
        {
            "transformer": ("ZImageTransformer2DModel", z_image_names),
            "vae": ("AutoencoderKL", vae_names),
        },
    ),
    "sdxl": Kind(
        "sdxl",
        tiny_sdxl.write,
        {
            "unet": "model.diffusion_model.",
            "vae": "first_stage_model.",
            "text_encoder": "conditioner.embedders.0.transformer.",
            "text_encoder_2": "conditioner.embedders.1.model.",
        },
        {
            "unet": ("UNet2DConditionModel", unet_names),
            "vae": ("AutoencoderKL", vae_names),
            "text_encoder_2": ("CLIPTextModelWithProjection", clip_names),
        },
        "unet",
        ("text_encoder", "text_encoder_2"),
    ),
}


def drawn(layout: str, config: dict[str, Any], seed: int) -> Tensors:
    """Random weights under the names that the model's authors use."""
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for name, shape in LAYOUTS[layout](config).items():
        fan = int(np.prod(shape[1:])) if len(shape) > 1 else 4
        value = torch.randn(shape, generator=generator) / fan**0.5
        found[name] = value if len(shape) > 1 else value + float(name.endswith("weight"))
    return found


class Disk:
    """A tiny model as a folder, the pack that describes it, and its parts as authors write them."""

    def __init__(self, home: Path, kind: Kind) -> None:
        self.home, self.kind = home, kind
        self.folder = kind.write(home / "folder")
        self.packs = home / "configs"
        self.parts: dict[str, Tensors] = {}
        for part in (kind.denoiser, "vae", *kind.texts):
            self.parts[part] = (
                self._originals(part, *kind.originals[part])
                if part in kind.originals
                else load_file(self.folder / part / "model.safetensors")
            )
        self._describe()

    def _originals(self, part: str, layout: str, convert: Any) -> Tensors:
        """Draw the authors' file, and put what diffusers makes of it into the folder."""
        config = json.loads((self.folder / part / "config.json").read_text())
        original = drawn(layout, config, len(part))
        converted = convert(dict(original), config)
        (file,) = (self.folder / part).glob("*.safetensors")
        short = {name.removeprefix("text_model."): name for name in load_file(file)}
        assert {name.removeprefix("text_model.") for name in converted} == set(short)
        saved = {short[k.removeprefix("text_model.")]: v.contiguous() for k, v in converted.items()}
        save_file(saved, file, {"format": "pt"})
        return original

    def _describe(self) -> None:
        pack = self.packs / "tiny"
        shutil.copytree(self.folder, pack, ignore=shutil.ignore_patterns("*.safetensors"))
        tokenizers = [p.name for p in pack.glob("tokenizer*")]
        for name in tokenizers:
            shutil.move(pack / name, self.home / "tokenizers" / name)
        roles = {self.kind.denoiser: "denoiser", "vae": "vae"}
        said = {
            "family": self.kind.family,
            "title": "Tiny model",
            "bundle": self.kind.prefixes,
            "tokenizers": {name: name for name in tokenizers},
            "parts": [
                {
                    "part": part,
                    "kind": roles.get(part, "text"),
                    "forms": [
                        {
                            "name": "original" if part in self.kind.originals else "diffusers",
                            "shapes": {k: list(tensors[k].shape) for k in sorted(tensors)[-6:]},
                        }
                    ],
                }
                for part, tensors in self.parts.items()
            ],
        }
        (pack / "pack.json").write_text(json.dumps(said))

    def split(self, folder: Path, **changed: Tensors) -> list[Path]:
        """A file per part."""
        files = []
        for part, tensors in {**self.parts, **changed}.items():
            files.append(folder / f"{part}.safetensors")
            save_file({k: v.contiguous() for k, v in tensors.items()}, files[-1])
        return files

    def open(self, *files: Path) -> ModelFolder:
        return open_files(files, packs=self.packs)


@pytest.fixture(scope="module", params=KINDS)
def disk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Disk:
    return Disk(tmp_path_factory.mktemp("disk"), KINDS[request.param])


def run(folder: ModelFolder) -> tuple[np.ndarray, np.ndarray]:
    """Latents and pictures of a short run with everything freshly loaded."""
    family = recognise(folder, families())
    refs, store = references(folder, family), Store(families(), 2**30)

    def load(weights: Any) -> Any:
        return store.get(weights, "cpu")

    text = family.encode_text(refs.text, ["a red circle"], {}, load, "cpu")
    latent = sample(
        family.denoiser(refs.model, load, "cpu"),
        Guider("none", {}, refs.model, (Term("positive", text),)),
        Solver("euler"),
        Schedule("native", steps=3),
        Noise("gaussian", seed=1),
        Latent(np.zeros((1, 4, 16, 24)), refs.vae.space),
    )
    return latent.samples, family.decode_latent(refs.vae, latent, load, "cpu").pixels


@pytest.fixture(scope="module")
def truth(disk: Disk) -> tuple[np.ndarray, np.ndarray]:
    return run(read_folder(disk.folder))


def close(ours: tuple[np.ndarray, ...], theirs: tuple[np.ndarray, ...]) -> None:
    """Equal but for how kernels round: they choose by where in memory the weights lie."""
    for one, other in zip(ours, theirs, strict=True):
        assert far(one, other) < 1e-5


def same_weights(ours: ModelFolder, theirs: ModelFolder) -> None:
    """Every network has the same parameters, bit for bit."""
    for part in ("transformer", "unet", "vae", "text_encoder", "text_encoder_2"):
        if part in theirs.components:
            one, other = (loaded(folder, part).state_dict() for folder in (ours, theirs))
            assert one.keys() == other.keys()
            assert all(torch.equal(one[name], other[name]) for name in one), part


def loaded(folder: ModelFolder, part: str) -> Any:
    family = recognise(folder, families())
    model = references(folder, family).model
    return Store(families(), 2**30).get(part_of(model, part), "cpu")


def test_files_per_part_equal_the_folder(disk: Disk, truth: Any, tmp_path: Path) -> None:
    found = disk.open(*disk.split(tmp_path))
    close(run(found), truth)
    same_weights(found, read_folder(disk.folder))


def test_the_order_of_files_does_not_matter(disk: Disk, truth: Any, tmp_path: Path) -> None:
    first, *others = disk.split(tmp_path)
    close(run(disk.open(first, *others[::-1])), truth)


def test_one_checkpoint_of_all_parts_equals_the_folder(
    disk: Disk, truth: Any, tmp_path: Path
) -> None:
    whole = {
        disk.kind.prefixes[part] + name: tensor
        for part, tensors in disk.parts.items()
        for name, tensor in tensors.items()
    }
    path = tmp_path / "all.safetensors"
    save_file({k: v.contiguous() for k, v in whole.items()}, path)
    found = disk.open(path)
    close(run(found), truth)
    same_weights(found, read_folder(disk.folder))


def test_a_reference_finds_the_files_again(disk: Disk, truth: Any, tmp_path: Path) -> None:
    found = disk.open(*disk.split(tmp_path))
    again = read_source(found.source)
    assert again.identity() == found.identity()
    (tmp_path / "vae.safetensors").touch()
    assert read_source(found.source).identity() != found.identity()
    assert read_source(found.source).identity(["transformer"]) == found.identity(["transformer"])


def test_weights_in_8_bit_floats_are_brought_to_the_precision_of_the_run(
    disk: Disk, truth: Any, tmp_path: Path
) -> None:
    stored = {
        k: v.to(torch.float8_e4m3fn) if v.ndim > 1 else v
        for k, v in disk.parts[disk.kind.denoiser].items()
    }
    rounded = {k: v.float() for k, v in stored.items()}
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    ours = run(disk.open(*disk.split(tmp_path / "a", **{disk.kind.denoiser: stored})))
    same = run(disk.open(*disk.split(tmp_path / "b", **{disk.kind.denoiser: rounded})))
    close(ours, same)
    assert 0 < far(ours[0], truth[0]) < 0.3


def test_scaled_8_bit_floats_are_multiplied_by_their_scale(
    disk: Disk, truth: Any, tmp_path: Path
) -> None:
    stored: Tensors = {"scaled_fp8": torch.zeros(2, dtype=torch.float8_e4m3fn)}
    for name, value in disk.parts[disk.kind.denoiser].items():
        if value.ndim == 2:
            scale = value.abs().max() / 448
            stored[name] = (value / scale).to(torch.float8_e4m3fn)
            stored[name.removesuffix("weight") + "scale_weight"] = scale
        else:
            stored[name] = value
    ours = run(disk.open(*disk.split(tmp_path, **{disk.kind.denoiser: stored})))
    assert 0 < far(ours[0], truth[0]) < 0.3


@pytest.mark.parametrize(("kind", "bound"), [("F16", 5e-3), ("Q8_0", 0.1)])
def test_a_gguf_equals_the_folder_within_its_precision(
    disk: Disk, truth: Any, tmp_path: Path, kind: str, bound: float
) -> None:
    import gguf

    path = tmp_path / f"tiny-{kind}.gguf"
    writer = gguf.GGUFWriter(str(path), "flux")
    wanted = gguf.GGMLQuantizationType[kind]
    for name, value in disk.parts[disk.kind.denoiser].items():
        fits = value.ndim == 2 and value.shape[1] % 32 == 0 and name.endswith("weight")
        chosen = wanted if fits else gguf.GGMLQuantizationType.F32
        data = gguf.quants.quantize(value.numpy(), chosen)
        writer.add_tensor(name, data, raw_dtype=chosen)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    files = [path, *disk.split(tmp_path)[1:]]
    ours = run(disk.open(*files))
    assert 0 < far(ours[0], truth[0]) < bound


def test_what_is_missing_is_said_when_it_is_needed(disk: Disk, tmp_path: Path) -> None:
    transformer, vae, *_ = disk.split(tmp_path)
    found = disk.open(transformer, vae)
    family = recognise(found, families())
    refs, store = references(found, family), Store(families(), 2**30)
    assert store.get(refs.model, "cpu") is not None
    with pytest.raises(CatalogError, match=r"no weights for the text_encoder.* Name the file"):
        store.get(refs.text, "cpu")


def test_a_file_of_another_model_is_refused(disk: Disk, tmp_path: Path) -> None:
    files = disk.split(tmp_path)
    strange = tmp_path / "strange.safetensors"
    save_file({"layers.0.weight": torch.ones(2, 2)}, strange)
    with pytest.raises(CatalogError, match=r"strange.safetensors is no part of Tiny model"):
        disk.open(files[0], strange)
    with pytest.raises(CatalogError, match="names no model"):
        disk.open(strange)
    with pytest.raises(CatalogError, match="for which a file is given already"):
        disk.open(files[0], files[1], files[1])
    with pytest.raises(CatalogError, match="is a folder"):
        disk.open(files[0], tmp_path)
    shard = strange.rename(tmp_path / "strange-00001-of-00002.safetensors")
    with pytest.raises(CatalogError, match="one of 2 shards"):
        disk.open(files[0], shard)
    with pytest.raises(CatalogError, match="no config 'nothing'"):
        open_files(files, "nothing", disk.packs)


def test_a_checkpoint_with_a_hole_is_refused(disk: Disk, tmp_path: Path) -> None:
    whole = disk.parts[disk.kind.denoiser]
    gone = next(name for name in whole if name.endswith("ff.net.2.weight") or "w2.weight" in name)
    short = {name: tensor for name, tensor in whole.items() if name != gone}
    files = disk.split(tmp_path, **{disk.kind.denoiser: short})
    found = disk.open(*files)
    refs = references(found, recognise(found, families()))
    with pytest.raises(CatalogError, match=r"lacks|do not load"):
        Store(families(), 2**30).get(refs.model, "cpu")


def test_a_pickle_is_refused_whatever_it_is_called(disk: Disk, tmp_path: Path) -> None:
    path = tmp_path / "evil.safetensors"
    torch.save({"a": torch.ones(1)}, path)
    with pytest.raises(CatalogError, match="pickle"):
        open_model(path)
