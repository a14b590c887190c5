"""How long steps took before, for guesses at how long they will take."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

NEWEST = 0.5
"""How much the newest time counts against those before it."""

MOST = 20_000
"""Steps that are remembered one by one."""


class Costs:
    """Seconds by step of a document, and by node type for steps that never ran."""

    def __init__(self, types: Mapping[str, float] | None = None) -> None:
        self._types = dict(types or {})
        self._steps: dict[tuple[str, str], float] = {}

    def learn(self, document: str, step: str, kind: str, seconds: float) -> None:
        """A step of this type took so long."""
        if len(self._steps) >= MOST:
            self._steps.clear()
        self._steps[document, step] = seconds
        if kind:
            before = self._types.get(kind, seconds)
            self._types[kind] = before + NEWEST * (seconds - before)

    def usual(self, document: str, step: str, kind: str) -> float | None:
        """Seconds that a step may take, if any like it ever ran."""
        return self._steps.get((document, step), self._types.get(kind))

    def together(self, document: str, steps: Iterable[tuple[str, str]]) -> float | None:
        """Seconds that all of these (step, type) may take; ``None`` where one was never seen."""
        total = 0.0
        for step, kind in steps:
            one = self.usual(document, step, kind)
            if one is None:
                return None
            total += one
        return total

    def save(self, path: Path) -> None:
        """Keep what is known of node types; where that cannot be, it is learnt anew."""
        draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(msgspec.json.encode(self._types))
            os.replace(draft, path)

    @classmethod
    def load(cls, path: Path) -> Costs:
        """What was kept; nothing where there is none, or it is broken."""
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            types = msgspec.json.decode(path.read_bytes(), type=dict[str, float])
            return cls({name: seconds for name, seconds in types.items() if seconds >= 0})
        return cls()
