"""ControlNets on disk: a diffusers folder or a bare safetensors file, described as a model folder
of one component."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from types import MappingProxyType
from typing import Any

import blake3

from backend.catalog.components import SAMPLE, Bare, Component, read_json, weight_files
from backend.catalog.controlnet_config import transformer_config, unet_config
from backend.catalog.errors import CatalogError
from backend.catalog.folder import ModelFolder
from backend.catalog.header import Header, read_header
from backend.catalog.identify import identify_file, precision, shipped_knowledge
from backend.catalog.pack import packs_folder

PART = "controlnet"
"""The name of the component."""
UNET, UNION, TRANSFORMER = "ControlNetModel", "ControlNetUnionModel", "FluxControlNetModel"
_KNOWN = "Those for Stable Diffusion, SDXL and FLUX.1 are run"


def is_controlnet(path: Path) -> bool:
    """Whether a folder or a safetensors file is plainly a ControlNet, by config or header.

    Raises:
        CatalogError: a config or header is broken.
    """
    if path.is_dir():
        config = path / "config.json"
        if (path / "model_index.json").exists() or not config.is_file():
            return False
        return "ControlNet" in str(read_json(config).get("_class_name", ""))
    if path.suffix.lower() != ".safetensors":
        return False
    kind = identify_file(path, shipped_knowledge())[0].kind
    if kind != "unknown":
        return kind == "controlnet"
    shapes = {name: info.shape for name, info in read_header(path).tensors.items()}
    return _kind(shapes) != ("", "")


def read_controlnet(path: Path) -> ModelFolder:
    """What config and headers tell of a ControlNet.

    Raises:
        CatalogError: it is none, is broken, or of a kind that is not run.
    """
    if path.is_dir():
        root, component = path, _of_folder(path)
    elif path.exists():
        root, component = path.parent, _of_file(path)
    else:
        raise CatalogError(f"{path} is not there. Choose the folder or file of a ControlNet.")
    return ModelFolder(root, component.kind, MappingProxyType({PART: component}), {}, str(path))


def check_controlnet(folder: ModelFolder) -> None:
    """Refuse a folder that is no ControlNet.

    Raises:
        CatalogError: it is a whole model.
    """
    if PART not in folder.components:
        raise CatalogError(_whole(folder.path))


def _whole(path: Path) -> str:
    return f"{path} is a whole model. Choose the folder or the file of a ControlNet."


def _of_folder(path: Path) -> Component:
    settings = path / "config.json"
    if (path / "model_index.json").exists():
        raise CatalogError(_whole(path))
    if not settings.is_file():
        raise CatalogError(
            f"{path} has no config.json. Choose the folder in which the ControlNet's weights lie, "
            "as diffusers saves them, or a safetensors file."
        )
    config = read_json(settings)
    kind = str(config.get("_class_name", ""))
    if kind not in (UNET, UNION, TRANSFORMER):
        raise CatalogError(
            f"{path} holds a {kind or 'network of no known class'}, which is no ControlNet that "
            f"can be run here. {_KNOWN}."
        )
    files = weight_files(path, kind, "diffusers")
    headers = {file: read_header(file) for file in files}
    return _component(path, kind, config, headers, None, [settings])


def _of_file(path: Path) -> Component:
    found, _ = identify_file(path, shipped_knowledge())
    if path.suffix.lower() == ".gguf":
        raise CatalogError(f"{path.name} is no ControlNet: {found.sentence} Choose a safetensors.")
    header = read_header(path)
    prefix = found.parts[0].prefix if found.kind == "controlnet" and found.parts else ""
    shapes = {n.removeprefix(prefix): t.shape for n, t in header.tensors.items()}
    kind, form = _kind(shapes)
    if not kind or found.kind in ("lora", "checkpoint", "denoiser"):
        raise CatalogError(_no_net(path, found.sentence, found.kind))
    try:
        config = _config_beside(path, kind)
        config = config or (
            transformer_config(shapes) if kind == TRANSFORMER else unet_config(shapes, form)
        )
    except (LookupError, ValueError, TypeError) as error:
        raise CatalogError(
            f"{path.name} looks like a ControlNet, but is none that can be read without its config "
            f"({str(error)[:80]}). Choose the folder in which diffusers saved it."
        ) from error
    return _component(path.parent, kind, config, {path: header}, Bare(path, form, prefix), [])


def _config_beside(path: Path, kind: str) -> dict[str, Any]:
    """The config of the diffusers folder that a file is the weights of, else an empty one."""
    beside = path.parent / "config.json"
    if not path.name.startswith("diffusion_pytorch_model") or not beside.is_file():
        return {}
    config = read_json(beside)
    return config if config.get("_class_name") == kind else {}


def _kind(shapes: Mapping[str, tuple[int, ...]]) -> tuple[str, str]:
    """The class and the naming of a file's tensors; empty where it is no ControlNet."""
    if "lora_controlnet" in shapes:
        return "", ""
    if "controlnet_x_embedder.weight" in shapes and "context_embedder.weight" in shapes:
        return TRANSFORMER, "diffusers"
    if "controlnet_cond_embedding.conv_in.weight" in shapes:
        return UNION if "task_embedding" in shapes else UNET, "diffusers"
    if "input_hint_block.0.weight" in shapes and "zero_convs.0.0.weight" in shapes:
        return UNET, "original"
    return "", ""


def _no_net(path: Path, sentence: str, kind: str) -> str:
    if kind == "lora":
        return f"{path.name} is no ControlNet: {sentence} Lay it on with the node LoRA."
    if kind == "controlnet":
        return (
            f"{path.name}: {sentence} It is in a form that is not run here. {_KNOWN}, under the "
            "names of diffusers or of the first ControlNets."
        )
    return f"{path.name} is no ControlNet: {sentence} Choose the file of a ControlNet."


def _component(
    root: Path,
    kind: str,
    config: Mapping[str, Any],
    headers: Mapping[Path, Header],
    bare: Bare | None,
    more: list[Path],
) -> Component:
    tensors = {name: info for header in headers.values() for name, info in header.tensors.items()}
    files = [*headers, *more]
    told = blake3.blake3()
    for file in files:
        about = file.stat()
        digest = headers[file].digest if file in headers else ""
        told.update(f"{file.name} {about.st_size} {about.st_mtime_ns} {digest}\n".encode())
    parameters = sum(reduce(lambda a, b: a * b, info.shape, 1) for info in tensors.values())
    return Component(
        PART, "diffusers", kind, MappingProxyType(dict(config)),
        root if bare is None else packs_folder() / "controlnet" / PART,
        tuple(file.name for file in files), precision(tensors),
        sum(info.nbytes for info in tensors.values()), parameters,
        MappingProxyType({name: tensors[name].shape for name in sorted(tensors)[:SAMPLE]}),
        told.hexdigest(), bare,
    )  # fmt: skip
