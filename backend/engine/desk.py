"""What keys and checks ask of the outside: remembered results, files, models, headers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from backend.catalog.errors import CatalogError
from backend.catalog.shelf import content_hash
from backend.catalog.source import open_model
from backend.engine.cache import Cache
from backend.engine.cancel import Cancel
from backend.engine.content import Contents
from backend.engine.context import Facilities, Scalars, StepContext
from backend.engine.events import Event
from backend.engine.lookup import model_folder
from backend.media.names import fields_of
from backend.media.outputs import OutputFolder
from backend.plan.result import Result
from backend.sdk import Audio, Context, Saved, UserError, Video
from backend.values import FrameFile, MediaFile, SoundTrack

SMALL_MODEL = 256 * 2**20
"""Bytes of weights up to which a model is known by its content, and above by its fast identity."""


class Shelf:
    """The cache as one run sees it: a result whose files are gone or changed, or whose video has
    lost its frames, is no result.

    Files are looked at once per run and result.
    """

    def __init__(self, cache: Cache, output: OutputFolder) -> None:
        self._cache = cache
        self._output = output
        self._sound: dict[str, tuple[str | Saved, ...]] = {}

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
        held = _held(result.values.values()) if result else ()
        if result is None or not (result.saved or held):
            return result
        files: tuple[str | Saved, ...] = (*result.saved, *(each.path for each in held))
        if self._sound.get(key) == files:
            return result
        if all(map(self._output.holds, result.saved)) and all(each.is_there for each in held):
            self._sound[key] = files
            return result
        self._cache.forget(key)
        return None


@dataclass(slots=True)
class Outside:
    """Content digests of what parameters name."""

    facilities: Facilities
    contents: Contents
    cancel: Cancel
    fields: Callable[[], Scalars]
    _digests: dict[tuple[str, str], str | None] = field(default_factory=dict)
    _models: dict[str, str] = field(default_factory=dict)

    def content(self, kind: str, ref: str) -> str | None:
        """The digest of a file, folder or model, or of what a name template says; ``None`` if it
        cannot be read. Told once per run, so that a run has one answer."""
        if (kind, ref) not in self._digests:
            self._digests[kind, ref] = self._tell(kind, ref)
        return self._digests[kind, ref]

    def models(self, refs: Iterable[str]) -> dict[str, str]:
        """What models are, for people: by their content where that is known, else by their fast
        identity on this machine, which begins with ``fast:``. Left out is what cannot be read."""
        for ref in refs:
            self.content("model", ref)
        return dict(self._models)

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
            return self.contents.digest(self.facilities.grants.read(ref), self.cancel.check)
        except (UserError, CatalogError):
            return None

    def _model(self, ref: str) -> str | None:
        path = model_folder(self.facilities.grants, ref)
        folder = open_model(path)
        large = folder.nbytes > SMALL_MODEL
        identity = folder.identity() if large else self.contents.digest(path, self.cancel.check)
        if identity is not None:
            told = (content_hash(path) if large else "") or identity
            self._models[self.facilities.grants.portable(ref)] = told
        return identity


def _held(values: Iterable[Any]) -> tuple[FrameFile | MediaFile, ...]:
    """The files that videos and sounds are read from."""
    found: list[FrameFile | MediaFile] = []
    for value in values:
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, Video):
                found += [f if isinstance(f, FrameFile) else f.media for f in each.files]
            elif isinstance(each, Audio) and isinstance(each.source, SoundTrack):
                found.append(each.source.media)
    return tuple(found)


def _unheard(event: Event) -> None:
    """A fingerprint hook has nothing to say to anybody."""


def _no_saving() -> tuple[Scalars, Mapping[str, Any]]:
    raise UserError("A fingerprint cannot save files.")
