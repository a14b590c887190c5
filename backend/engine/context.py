"""What a running node may ask of the engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import backend
from backend.catalog.errors import CatalogError
from backend.engine.cancel import Cancel
from backend.engine.events import Event, Preview, Progress, SavedFile
from backend.engine.pace import Pace
from backend.engine.preview import jpeg_of
from backend.media.grants import Grants
from backend.media.outputs import OutputFolder
from backend.sdk import Saved, UserError
from backend.values import Image, Weights

MODELS = Path(backend.__file__).resolve().parent.parent / "resources" / "models"
Scalars = Mapping[str, str | int | float | bool | None]


class Components(Protocol):
    """Whoever holds loaded models; ``backend.models.store.Store`` does."""

    def get(self, weights: Weights, device: str) -> Any:
        """The loaded component behind a reference."""


@dataclass(frozen=True, slots=True)
class Facilities:
    """What all contexts of an engine share. ``store`` makes the store when it is first wanted."""

    grants: Grants
    output: OutputFolder
    device: str
    store: Callable[[], Components]


def model_folder(grants: Grants, ref: str) -> Path:
    """The folder of a built-in model by its name, or of a granted path.

    Raises:
        UserError: there is no such model, or the path is not granted.
    """
    if ref and Path(ref).name == ref and (MODELS / ref).is_dir():
        return MODELS / ref
    if not ref:
        raise UserError("No model is chosen. Name a built-in model or a model folder.")
    if Path(ref).name == ref and not (grants.base / ref).exists():
        there = sorted(p.name for p in MODELS.iterdir() if p.is_dir()) if MODELS.is_dir() else []
        built_in = f"the built-in models are {', '.join(there)}" if there else "none is built in"
        raise UserError(
            f"There is no model {ref!r}: {built_in}, and the workflow's folder has none of that "
            "name. Name a built-in model or the path of a model folder."
        )
    folder = grants.read(ref)
    if not folder.is_dir():
        raise UserError(f"{ref} is a file; a model is a folder with model_index.json.")
    return folder


class StepContext:
    """The context of one call of one step. It is used by one thread."""

    def __init__(
        self,
        step: str,
        turns: tuple[int, ...],
        facilities: Facilities,
        cancel: Cancel,
        post: Callable[[Event], None],
        describe: Callable[[], tuple[Scalars, Mapping[str, Any]]],
    ) -> None:
        """``describe`` gives, when a file is saved, the fields for its name and its provenance."""
        self._step = step
        self._turns = turns
        self._facilities = facilities
        self._cancel = cancel
        self._post = post
        self._describe = describe
        self._progress, self._previews = Pace(), Pace()
        self.saved: list[Saved] = []
        self.jpeg = b""

    @property
    def device(self) -> str:
        """``cpu`` or ``cuda:N``."""
        self._cancel.check()
        return self._facilities.device

    def check(self) -> None:
        """Do nothing, or raise ``Cancelled``."""
        self._cancel.check()

    def progress(self, done: float, total: float) -> None:
        """Say how far the node is; the last word (``done == total``) always goes out."""
        self._cancel.check()
        if self._progress.due(done >= total):
            self._post(Progress(self._step, float(done), float(total), self._turns))

    def preview(self, image: Image) -> None:
        """Show an intermediate picture; those that come too fast after another are left out."""
        self._cancel.check()
        if self._previews.due():
            self.jpeg = jpeg_of(image)
            self._post(Preview(self._step, self.jpeg, self._turns))

    def read(self, path: str) -> Path:
        """A granted file or folder."""
        self._cancel.check()
        return self._facilities.grants.read(path)

    def save(
        self,
        name: str,
        suffix: str,
        write: Callable[[Path, Mapping[str, Any]], None],
        *,
        overwrite: str = "number",
    ) -> Saved:
        """Write one output file by the output protocol, with its provenance."""
        self._cancel.check()
        fields, provenance = self._describe()
        saved = self._facilities.output.save(
            name, suffix, lambda path: write(path, provenance), overwrite=overwrite, fields=fields
        )
        self.saved.append(saved)
        self._post(SavedFile(self._step, saved.path, saved.hash, self._turns))
        return saved

    def model_folder(self, ref: str) -> Path:
        """The folder of a built-in model or of a granted path."""
        self._cancel.check()
        return model_folder(self._facilities.grants, ref)

    def load(self, weights: Weights) -> Any:
        """The loaded component behind a reference.

        Raises:
            UserError: its files are missing or broken.
        """
        self._cancel.check()
        try:
            return self._facilities.store().get(weights, self._facilities.device)
        except CatalogError as error:
            raise UserError(str(error)) from error
