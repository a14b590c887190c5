"""Where models lie: Weft's own folder, what it ships, and the folders that the user named.

The user's folders stand in one entry of the settings file::

    [models]
    folders = ["/data/ComfyUI", "/home/me/.cache/huggingface/hub"]

A folder may be laid out as ComfyUI, InvokeAI or the Hugging Face cache do, or in any other way.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

import backend
from backend.catalog.errors import CatalogError

COMFY = (
    "checkpoints", "diffusion_models", "unet", "text_encoders", "clip", "vae", "loras",
    "controlnet", "embeddings", "upscale_models",
)  # fmt: skip
"""Folders by which ComfyUI's models folder is known."""

_SECTION = re.compile(r"^\[models\][ \t]*(?:#.*)?$", re.MULTILINE)
_STRING = r'"(?:[^"\\\n]|\\.)*"|' + r"'[^'\n]*'"
_ENTRY = re.compile(rf"^folders[ \t]*=[ \t]*\[(?:{_STRING}|[^\]\"'])*\]", re.MULTILINE)


@dataclass(frozen=True)
class Root:
    """A folder that is scanned; ``layout`` is ``hub`` (a Hugging Face cache) or ``plain``."""

    path: Path
    layout: str = "plain"


def own_folder() -> Path:
    """Where ``weft models get`` puts models."""
    return Path(platformdirs.user_data_dir("weft", appauthor=False)) / "models"


def shipped_folder() -> Path:
    """The models that Weft ships."""
    return Path(backend.__file__).resolve().parent.parent / "resources" / "models"


def settings_file() -> Path:
    """The user's settings."""
    return Path(platformdirs.user_config_dir("weft", appauthor=False)) / "settings.toml"


def index_file() -> Path:
    """The index of what scans have found; it can be deleted at any time."""
    return Path(platformdirs.user_cache_dir("weft", appauthor=False)) / "models.sqlite"


def default_roots(settings: Path | None = None) -> tuple[Root, ...]:
    """Every folder that is there: Weft's own first, then the user's, then the shipped ones.

    Raises:
        CatalogError: the settings file is broken.
    """
    folders = read_folders(settings_file() if settings is None else settings)
    wanted = [own_folder(), *folders, shipped_folder()]
    return tuple(dict.fromkeys(root_of(path) for path in wanted if path.is_dir()))


def root_of(path: Path) -> Root:
    """The part of a folder that holds models, and its layout.

    Of ComfyUI's and InvokeAI's folders that is ``models``, of ``HF_HOME`` it is ``hub``.
    """
    path = path.absolute()
    if _is_hub(path):
        return Root(path, "hub")
    if _is_hub(path / "hub"):
        return Root(path / "hub", "hub")
    inner = path / "models"
    if any((inner / name).is_dir() for name in COMFY) or (path / "invokeai.yaml").is_file():
        return Root(inner if inner.is_dir() else path)
    return Root(path)


def read_folders(settings: Path) -> tuple[Path, ...]:
    """The user's folders in a settings file; none where there is no file.

    Raises:
        CatalogError: the file is no TOML, or its entry is no list of absolute paths.
    """
    value = _load(settings).get("models", {})
    folders = value.get("folders", []) if isinstance(value, dict) else None
    if not isinstance(folders, list) or not all(isinstance(f, str) for f in folders):
        raise CatalogError(f"{settings}: [models] folders should be a list of paths. Correct it.")
    found = tuple(Path(folder).expanduser() for folder in folders)
    for folder in found:
        if not folder.is_absolute():
            raise CatalogError(
                f"{settings}: the models folder {str(folder)!r} is no absolute path. Correct it."
            )
    return found


def write_folders(settings: Path, folders: Sequence[Path]) -> None:
    """Set the user's folders in a settings file, and leave all else in it as it is.

    Raises:
        CatalogError: the file is broken, written in a way that cannot be edited, or unwritable.
    """
    settings = settings.resolve()  # where it is a link, what it leads to is written
    before = _load(settings)
    for folder in folders:
        if not str(folder).isprintable():
            raise CatalogError(f"{str(folder)!r} has letters that cannot be written. Rename it.")
    listed = [str(folder) for folder in folders]
    line = "folders = [" + ", ".join(json.dumps(each, ensure_ascii=False) for each in listed) + "]"
    text = settings.read_text(encoding="utf-8") if settings.is_file() else ""
    text = _edited(text, line)
    section = before.get("models", {})
    wanted = {**before, "models": {**section, "folders": listed}}
    try:
        good = tomllib.loads(text) == wanted
    except tomllib.TOMLDecodeError:
        good = False
    if not good:
        raise CatalogError(
            f"{settings} is written in a way that cannot be edited here. Put this under [models] "
            f"by hand: {line}"
        )
    _write(settings, text)


def _edited(text: str, line: str) -> str:
    section = _SECTION.search(text)
    if section is None:
        gap = "" if not text or text.endswith("\n\n") else "\n" if text.endswith("\n") else "\n\n"
        return f"{text}{gap}[models]\n{line}\n"
    following = re.search(r"^\[", text[section.end() :], re.MULTILINE)
    end = section.end() + following.start() if following else len(text)
    body = text[section.end() : end]
    entry = _ENTRY.search(body)
    if entry:
        body = body[: entry.start()] + line + body[entry.end() :]
    else:
        body = f"\n{line}{body or chr(10)}"
    return text[: section.end()] + body + text[end:]


def _load(settings: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(settings.read_text(encoding="utf-8")) if settings.is_file() else {}
    except (OSError, ValueError) as error:
        raise CatalogError(f"{settings} cannot be read ({error}). Correct the file.") from error


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CatalogError(f"{path} cannot be written ({error.strerror}).") from error


def _is_hub(path: Path) -> bool:
    try:
        return any(name.startswith("models--") for name in os.listdir(path))
    except OSError:
        return False
