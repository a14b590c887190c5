"""A small context for nodes that run models: no engine, one store, everything recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from backend.catalog.folder import ModelFolder
from backend.catalog.source import open_beside, open_files, open_model
from backend.models.family import families
from backend.models.loaders import loaders
from backend.models.store import Store
from backend.sdk import Cancelled, Image, Saved, UserError
from backend.values import Audio, Weights


class FakeDevice:
    """Serves as context and as lookup; ``cancel_at`` cancels at that many checks."""

    device = "cpu"
    frugal = False

    def __init__(self, folders: Mapping[str, Path], cancel_at: int = -1) -> None:
        self.folders = folders
        self.store = Store(families(), 2**30, loaders())
        self.done: list[tuple[float, float]] = []
        self.previews: list[Image] = []
        self.notes: list[str] = []
        self.checks = 0
        self.cancel_at = cancel_at

    def check(self) -> None:
        self.checks += 1
        if self.checks == self.cancel_at:
            raise Cancelled

    def progress(self, done: float, total: float) -> None:
        self.done.append((done, total))

    def note(self, text: str) -> None:
        self.notes.append(text)

    def preview(self, image: Image | Callable[[], Image | None]) -> None:
        shown = image() if callable(image) else image
        if shown is not None:
            self.previews.append(shown)

    def read(self, path: str) -> Path:
        raise UserError(f"{path} is not granted")

    def read_images(self, path: str) -> tuple[Image, ...]:
        raise UserError(f"{path} is not granted")

    def read_sound(self, path: str) -> Audio:
        raise UserError(f"{path} is not granted")

    def save(
        self,
        name: str,
        suffix: str,
        write: Callable[[Path, Mapping[str, Any]], None],
        *,
        overwrite: str = "number",
    ) -> Saved:
        raise UserError("nothing is saved here")

    def model_folder(self, ref: str) -> Path:
        return self.folders[ref]

    def load(self, weights: Weights) -> Any:
        return self.store.get(weights, self.device)

    def model(self, ref: str, files: Mapping[str, str] | None = None) -> ModelFolder | None:
        if ref not in self.folders:
            return None
        if not files:
            return open_model(self.folders[ref])
        return open_beside(self.folders[ref], {n: self.folders[f] for n, f in files.items()})

    def model_files(self, refs: Sequence[str], config: str) -> ModelFolder:
        return open_files([self.folders[ref] for ref in refs], config)
