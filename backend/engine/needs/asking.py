"""The context in which nodes that only name models are asked for their references before a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backend.engine.lookup import model_folder
from backend.media.grants import Grants
from backend.sdk import UserError


class Asking:
    """Reads granted files and finds models; all else that a node may ask of a run is refused."""

    def __init__(self, grants: Grants, device: str) -> None:
        self.device = device
        self._grants = grants

    def check(self) -> None:
        """Nothing cancels a plan."""

    def progress(self, done: float, total: float) -> None:
        """Nobody watches."""

    def note(self, text: str) -> None:
        """It will be said in the run."""

    def read(self, path: str) -> Path:
        """A granted file or folder."""
        return self._grants.read(path)

    def model_folder(self, ref: str) -> Path:
        """The folder of a built-in model or of a granted path."""
        return model_folder(self._grants, ref)

    def __getattr__(self, name: str) -> Any:
        raise UserError(f"The node asks for {name}, which there is in a run only.")
