"""What keys and checks ask of the outside: remembered results, files, models, headers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from backend.catalog.errors import CatalogError
from backend.catalog.source import open_model
from backend.engine.cache import MemoryCache
from backend.engine.cancel import Cancel
from backend.engine.content import Contents
from backend.engine.context import Facilities, Scalars, StepContext
from backend.engine.events import Event
from backend.engine.lookup import model_folder
from backend.media.names import fields_of
from backend.media.outputs import OutputFolder
from backend.plan.result import Result
from backend.sdk import Context, UserError, Video

SMALL_MODEL = 256 * 2**20
"""Bytes of weights up to which a model is known by its content, and above by its fast identity."""


class Shelf:
    """The cache as one run sees it: a result whose files are gone or changed, or whose video has
    lost its frames, is no result.

    Files are looked at once per run and result.
    """

    def __init__(self, cache: MemoryCache, output: OutputFolder) -> None:
        self._cache = cache
        self._output = output
        self._sound: dict[int, bool] = {}

    def find(self, key: str) -> Result | None:
        """What is known of a key; ``values`` is empty where only digests are left."""
        return self._checked(key, self._cache.find(key))

    def get(self, key: str) -> Result | None:
        """The whole result."""
        return self._checked(key, self._cache.get(key))

    def seen(self, static: str) -> bool:
        """Whether the step is known with other inputs."""
        return self._cache.seen(static)

    def decision(self, key: str) -> frozenset[str] | None:
        """What a lazy node asked for."""
        return self._cache.decision(key)

    def decide(self, key: str, names: frozenset[str]) -> None:
        """Remember what a lazy node asked for."""
        self._cache.decide(key, names)

    def _checked(self, key: str, result: Result | None) -> Result | None:
        videos = [v for v in result.values.values() if isinstance(v, Video)] if result else []
        if result is None or not (result.saved or videos):
            return result
        sound = self._sound.get(id(result))
        if sound is None:
            sound = all(map(self._output.holds, result.saved)) and all(v.is_there for v in videos)
            self._sound[id(result)] = sound
        if not sound:
            self._cache.forget(key)
            return None
        return result


@dataclass(slots=True)
class Outside:
    """Content digests of what parameters name. ``models`` notes which models a run uses."""

    facilities: Facilities
    contents: Contents
    cancel: Cancel
    fields: Callable[[], Scalars]
    models: MutableMapping[str, str] = field(default_factory=dict)
    _told: dict[tuple[str, str], str | None] = field(default_factory=dict)

    def content(self, kind: str, ref: str) -> str | None:
        """The digest of a file, folder or model, or of what a name template says; ``None`` if it
        cannot be read. Told once per run, so that a run has one answer."""
        if (kind, ref) not in self._told:
            self._told[kind, ref] = self._tell(kind, ref)
        return self._told[kind, ref]

    def context(self, step: str) -> Context:
        """A context for a fingerprint hook; it can read, and not save."""
        return StepContext(step, (), self.facilities, self.cancel, _unheard, _no_saving)

    def _tell(self, kind: str, ref: str) -> str | None:
        self.cancel.check()
        try:
            if kind == "name":
                fields = self.fields()
                return json.dumps([[n, fields.get(n)] for n in fields_of(ref)])
            if kind == "model":
                return self._model(ref)
            return self.contents.digest(self.facilities.grants.read(ref))
        except (UserError, CatalogError):
            return None

    def _model(self, ref: str) -> str | None:
        path = model_folder(self.facilities.grants, ref)
        folder = open_model(path)
        large = folder.nbytes > SMALL_MODEL
        identity = folder.identity() if large else self.contents.digest(path)
        if identity is not None:
            self.models[self.facilities.grants.portable(ref)] = identity
        return identity


def _unheard(event: Event) -> None:
    """A fingerprint hook has nothing to say to anybody."""


def _no_saving() -> tuple[Scalars, Mapping[str, Any]]:
    raise UserError("A fingerprint cannot save files.")
