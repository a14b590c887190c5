"""The node packs of this machine as the window has them. Nothing of a pack is run here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PySide6.QtCore import QObject, Signal

from app.panels.errands import Errands
from backend.engine.packs import Pack, PackError, Trust, find_packs, read_trust, revoke, trust

State = Literal["trusted", "changed", "untrusted", "gone"]


@dataclass(frozen=True, slots=True)
class Held:
    """A pack, or one that was trusted and is gone (``pack`` is ``None``)."""

    name: str
    state: State
    pack: Pack | None = None
    day: str = ""


class PackShelf(QObject):
    """What packs there are.

    ``changed``: ``packs`` or ``problems`` are others. ``trusted_changed``: what may run is
    another set, so that whoever knows node types looks again. ``refused`` carries a sentence.
    """

    changed = Signal()
    trusted_changed = Signal()
    refused = Signal(str)

    def __init__(self, data: Path, parent: QObject | None = None) -> None:
        """``data`` is Weft's data folder, whose ``packs`` holds a folder per pack."""
        super().__init__(parent)
        self.data = data
        self._errands = Errands("weft-packs", (PackError, OSError), self)
        self.packs: tuple[Held, ...] = ()
        self.problems: tuple[str, ...] = ()

    def close(self) -> None:
        """Wait for what is under way."""
        self._errands.close()

    def refresh(self) -> None:
        """Look again at what is there."""
        self._errands.do(self._look, self._seen, self.refused.emit)

    def trust(self, pack: Pack) -> None:
        """Let a pack run exactly as it was when it was looked at."""
        self._errands.do(lambda: self._trust(pack), self._settled, self.refused.emit)

    def revoke(self, name: str) -> None:
        """Let a pack run no more."""
        self._errands.do(lambda: revoke(self.data, name), self._settled, self.refused.emit)

    def _look(self) -> tuple[tuple[Held, ...], tuple[str, ...]]:
        found, problems = find_packs(self.data)
        trusted = read_trust(self.data)
        packs = [_held(pack, trusted) for pack in found]
        there = {pack.name for pack in found}
        gone = [Held(n, "gone", None, t.day) for n, t in trusted.items() if n not in there]
        return (*packs, *gone), tuple(problems)

    def _trust(self, pack: Pack) -> bool:
        """What is trusted is what the person saw: a pack that has changed since is refused."""
        there = {each.name: each for each in find_packs(self.data)[0]}
        now = there.get(pack.name)
        if now is None or now.hash != pack.hash:
            raise PackError(
                f"The pack {pack.name!r} has changed since it was shown. Look at it again."
            )
        trust(self.data, now)
        return True

    def _seen(self, found: tuple[tuple[Held, ...], tuple[str, ...]]) -> None:
        self.packs, self.problems = found
        self.changed.emit()

    def _settled(self, _given: object) -> None:
        self.trusted_changed.emit()
        self.refresh()


def _held(pack: Pack, trusted: Mapping[str, Trust]) -> Held:
    known = trusted.get(pack.name)
    if known is None:
        return Held(pack.name, "untrusted", pack)
    return Held(pack.name, "trusted" if known.hash == pack.hash else "changed", pack, known.day)
