"""Where models lie: Weft's own folder, what it ships, and the folders that the user named.

The user's folders stand in one entry of the settings file::

    [models]
    folders = ["/data/ComfyUI", "/home/me/.cache/huggingface/hub"]

A folder may be laid out as ComfyUI, InvokeAI or the Hugging Face cache do, or in any other way.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import backend
from backend.catalog.errors import CatalogError
from backend.settings import SettingError, cache_folder, data_folder, expanded, load, set_value

COMFY = (
    "checkpoints", "diffusion_models", "unet", "text_encoders", "clip", "vae", "loras",
    "controlnet", "embeddings", "upscale_models",
)  # fmt: skip
"""Folders by which ComfyUI's models folder is known."""


@dataclass(frozen=True)
class Root:
    """A folder that is scanned; ``layout`` is ``hub`` (a Hugging Face cache) or ``plain``."""

    path: Path
    layout: str = "plain"


def own_folder() -> Path:
    """Where ``weft models get`` puts models.

    Raises:
        CatalogError: the settings are broken.
    """
    with _sentences():
        return data_folder() / "models"


def shipped_folder() -> Path:
    """The models that Weft ships."""
    return Path(backend.__file__).resolve().parent.parent / "resources" / "models"


def index_file() -> Path:
    """The index of what scans have found; it can be deleted at any time.

    Raises:
        CatalogError: the settings are broken.
    """
    with _sentences():
        return cache_folder() / "models.sqlite"


def default_roots(settings: Path | None = None) -> tuple[Root, ...]:
    """Weft's own folder first, then the user's, then the shipped ones. A folder of the user's need
    not be there: its disk may be unplugged.

    Raises:
        CatalogError: the settings file is broken.
    """
    folders = read_folders(settings)
    first, last = ([path] if path.is_dir() else [] for path in (own_folder(), shipped_folder()))
    return tuple(dict.fromkeys(root_of(path) for path in [*first, *folders, *last]))


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


def read_folders(settings: Path | None = None) -> tuple[Path, ...]:
    """The user's folders: those in a settings file, or without one all that are set.

    Raises:
        CatalogError: the settings are broken, or one is no absolute path.
    """
    with _sentences():
        loaded = load() if settings is None else load(settings, environ={})
        found = tuple(expanded(folder) for folder in loaded.settings.models.folders)
    for folder in found:
        if not folder.is_absolute():
            raise CatalogError(
                f"{loaded.origins['models.folders']}: the models folder {str(folder)!r} is no "
                "absolute path. Correct it."
            )
    return found


def write_folders(settings: Path, folders: Sequence[Path]) -> None:
    """Set the user's folders in a settings file, and leave all else in it as it is.

    Raises:
        CatalogError: the file is broken, written in a way that cannot be edited, or unwritable.
    """
    for folder in folders:
        if not str(folder).isprintable():
            raise CatalogError(f"{str(folder)!r} has letters that cannot be written. Rename it.")
    with _sentences():
        set_value(settings, "models.folders", [str(folder) for folder in folders])


@contextmanager
def _sentences() -> Iterator[None]:
    try:
        yield
    except SettingError as error:
        raise CatalogError(str(error)) from error


def _is_hub(path: Path) -> bool:
    try:
        return any(name.startswith("models--") for name in os.listdir(path))
    except OSError:
        return False
