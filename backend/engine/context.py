"""What a running node may ask of the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from backend.catalog.errors import CatalogError
from backend.engine.cancel import Cancel
from backend.engine.events import Event, Note, Preview, Progress, SavedFile
from backend.engine.lookup import model_folder
from backend.engine.pace import Pace
from backend.engine.preview import jpeg_of, picture_of
from backend.media.apart import Decoder
from backend.media.grants import Grants
from backend.media.outputs import OutputFolder, Slot
from backend.media.spool import Spool
from backend.models.stops import Stops
from backend.models.store import Coming
from backend.sdk import Saved, UserError
from backend.values import Audio, Data, FrameDepth, Image, Layers, Video, Weights

Scalars = Mapping[str, str | int | float | bool | None]


MAX_NOTES, MAX_NOTE = 20, 1000
"""Notes of one call of a node, and characters of each."""


class Components(Protocol):
    """Whoever holds loaded models; ``backend.models.store.Store`` does."""

    @property
    def budget(self) -> int:
        """Bytes for weights and what steps compute in."""

    @property
    def short(self) -> int:
        """Bytes that the step is thought to compute in beyond its budget."""

    @property
    def nbytes(self) -> int:
        """Bytes of what is loaded."""

    @property
    def waited(self) -> float:
        """Seconds that computing has waited for weights, in all."""

    @property
    def read(self) -> tuple[int, float]:
        """Bytes of weights that were read, in all, and the seconds that took."""

    def get(self, weights: Weights, device: str, check: Callable[[], None]) -> Any:
        """The loaded component behind a reference; ``check`` is called in waits and may raise."""

    def expect(self, step: Sequence[Coming], later: Sequence[Coming], device: str) -> None:
        """A step begins that computes with some components, and after it others do, in order."""

    def leave(self) -> None:
        """The step is over."""

    def resident(self) -> Mapping[str, int]:
        """Bytes that are loaded, by what people call it."""

    def clear(self) -> None:
        """Let go of all weights."""

    def close(self) -> None:
        """Let go of everything; for whoever made it."""


class Ledger(Protocol):
    """Where the outputs of a job are noted; ``backend.engine.queue.ledger.Ledger`` is one."""

    def slot(
        self, root: Path, step: str, turns: Sequence[int], item: int | None, ordinal: int
    ) -> Slot:
        """The place of one output: the ``ordinal``-th of a call of a step, below ``root``."""


@dataclass(frozen=True, slots=True)
class Facilities:
    """What all contexts of a run share. ``store`` makes the store when it is first wanted;
    ``pictures``: every step that gives a picture shows it."""

    grants: Grants
    output: OutputFolder
    device: str
    store: Callable[[], Components]
    spool: Spool = field(default_factory=Spool)
    decoder: Decoder = field(default_factory=Decoder)
    ledger: Ledger | None = None
    pictures: bool = False


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
        item: int | None = None,
        frugal: bool = False,
    ) -> None:
        """``describe`` gives, when a file is saved, the fields for its name and its provenance,
        which is empty where none is to be embedded."""
        self._step = step
        self._turns = turns
        self._facilities = facilities
        self._cancel = cancel
        self._post = post
        self._describe = describe
        self._item = item
        self.frugal = frugal
        self._progress, self._previews = Pace(), Pace()
        self._notes = 0
        self.saved: list[Saved] = []
        self.jpeg = b""
        self._stops = Stops(cancel.check)

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

    def note(self, text: str) -> None:
        """Tell people something while the node goes on; at most ``MAX_NOTES`` of them."""
        self._cancel.check()
        self._notes += 1
        if self._notes <= MAX_NOTES:
            self._post(Note(self._step, text[:MAX_NOTE], self._turns))

    def preview(self, image: Image | Callable[[], Image | None]) -> None:
        """Show an intermediate picture; those that come too fast after another are left out, and
        not made where a function would make them."""
        self._cancel.check()
        if not self._previews.due():
            return
        shown = image() if callable(image) else image
        if shown is not None:
            self.jpeg = jpeg_of(shown)
            self._post(Preview(self._step, self.jpeg, self._turns))

    def read(self, path: str) -> Path:
        """A granted file or folder."""
        self._cancel.check()
        return self._facilities.grants.read(path)

    def read_images(self, path: str) -> tuple[Image, ...]:
        """The pictures in a granted file."""
        return self._facilities.decoder.images(self.read(path), self._cancel.check)

    def read_sound(self, path: str) -> Audio:
        """The sound in a granted file."""
        return self._facilities.decoder.sound(self.read(path), self._cancel.check)

    def read_layers(self, path: str, unknown_modes: str = "refuse") -> Layers:
        """The layers in a granted file; what they do not hold is told in notes."""
        found = self._facilities.decoder.layers(self.read(path), unknown_modes, self._cancel.check)
        for sentence in found[1]:
            self.note(sentence)
        return found[0]

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
        fields, provenance = self._described()
        return self._told(
            self._facilities.output.save(
                name,
                suffix,
                lambda path: write(path, provenance),
                overwrite=overwrite,
                fields=fields,
                slot=self._slot(),
            )
        )

    def save_folder(
        self,
        name: str,
        write: Callable[[Path, Mapping[str, Any]], None],
        *,
        overwrite: str = "number",
    ) -> Saved:
        """Write one output folder by the output protocol, with its provenance."""
        self._cancel.check()
        fields, provenance = self._described()
        return self._told(
            self._facilities.output.save_folder(
                name,
                lambda path: write(path, provenance),
                overwrite=overwrite,
                fields=fields,
                slot=self._slot(),
            )
        )

    def spool(self, frames: Iterable[Image], rate: float, depth: FrameDepth = "16") -> Video:
        """The video of frames that are written to the cache folder as they come."""
        return self._facilities.spool.video(frames, rate, depth, self._cancel.check)

    def model_folder(self, ref: str) -> Path:
        """The folder of a built-in model or of a granted path."""
        self._cancel.check()
        return model_folder(self._facilities.grants, ref)

    def load(self, weights: Weights) -> Any:
        """The loaded component behind a reference. During this call of the step a cancel stops a
        network between its blocks.

        Raises:
            UserError: its files are missing or broken.
        """
        self._cancel.check()
        try:
            component = self._facilities.store().get(
                weights, self._facilities.device, self._cancel.check
            )
        except CatalogError as error:
            raise UserError(str(error)) from error
        self._stops.lay(component)
        return component

    def shown(self, values: Mapping[str, Data]) -> bytes:
        """The last picture that the call showed (JPEG), or where it showed none, one of what it
        gives if that is wanted; empty without either."""
        return self.jpeg or (picture_of(values) if self._facilities.pictures else b"")

    def close(self) -> None:
        """The call is over: networks that it has loaded ask it no more."""
        self._stops.remove()

    def _described(self) -> tuple[Scalars, Mapping[str, Any]]:
        """What ``describe`` gives, and in the provenance which of the call's files this is."""
        fields, provenance = self._describe()
        return fields, {**provenance, "save": len(self.saved) + 1} if provenance else {}

    def _slot(self) -> Slot | None:
        """Where the ledger, if there is one, has the next file of this call."""
        ledger, root = self._facilities.ledger, self._facilities.output.root
        if ledger is None:
            return None
        return ledger.slot(root, self._step, self._turns, self._item, len(self.saved))

    def _told(self, saved: Saved) -> Saved:
        self.saved.append(saved)
        self._post(SavedFile(self._step, saved.path, saved.hash, self._turns))
        return saved
