"""Headers as checks ask for them, remembering which models they saw."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path

from backend.catalog.folder import ModelFolder
from backend.engine.lookup import NONE, HeaderLookup
from backend.graph.facts import Facts
from backend.media.grants import Grants

MOST = 32
"""Models that are remembered."""


class Shelf:
    """Answers the facts hooks of one document (``backend.sdk.Lookup``).

    A text encoder is known downstream by its identity alone; ``folders`` are the models that it may
    belong to, the last one first.
    """

    def __init__(self, grants: Grants) -> None:
        self.grants = grants
        self._seen: OrderedDict[object, ModelFolder] = OrderedDict()

    @property
    def folders(self) -> tuple[ModelFolder, ...]:
        """The models that were seen."""
        return tuple(reversed(self._seen.values()))

    def model(self, ref: str, files: Mapping[str, str] = NONE) -> ModelFolder:
        """As ``HeaderLookup.model``."""
        found = HeaderLookup(self.grants).model(ref, files)
        return self._kept((ref, *sorted(files.items())), found)

    def model_files(self, refs: Sequence[str], config: str) -> ModelFolder:
        """As ``HeaderLookup.model_files``."""
        found = HeaderLookup(self.grants).model_files(refs, config)
        return self._kept((*refs, config), found)

    def file(self, path: str) -> Path:
        """As ``HeaderLookup.file``."""
        return HeaderLookup(self.grants).file(path)

    def image(self, path: str) -> Facts | None:
        """As ``HeaderLookup.image``."""
        return HeaderLookup(self.grants).image(path)

    def _kept(self, key: object, folder: ModelFolder) -> ModelFolder:
        self._seen[key] = folder
        self._seen.move_to_end(key)
        if len(self._seen) > MOST:
            self._seen.popitem(last=False)
        return folder
