"""Which keys do what: the defaults, what the user changed, and what is in the way. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its id (``run.start``), what people read, the menu it is in, and its own keys in
    Qt's portable text (``Ctrl+Return``), or none."""

    id: str
    title: str
    group: str
    keys: str = ""


@dataclass(frozen=True)
class Shortcuts:
    """The keys of all commands, with what the user changed (``changes``, by id; empty: no keys)."""

    commands: tuple[Command, ...]
    changes: Mapping[str, str]

    @classmethod
    def read(cls, commands: Sequence[Command], written: Sequence[str]) -> Shortcuts:
        """From the setting ``studio.shortcuts``; a line of a command that is not there is kept."""
        pairs = (line.partition("=") for line in written)
        return cls(tuple(commands), {name.strip(): keys.strip() for name, _, keys in pairs if name})

    def written(self) -> tuple[str, ...]:
        """For the setting ``studio.shortcuts``."""
        return tuple(f"{name}={keys}" for name, keys in sorted(self.changes.items()))

    def keys(self, command: str) -> str:
        """The keys of a command.

        Raises:
            KeyError: there is no such command.
        """
        return self.changes.get(command, self._own(command))

    def is_changed(self, command: str) -> bool:
        """Whether the user gave it other keys."""
        return command in self.changes

    def users(self, keys: str) -> tuple[Command, ...]:
        """The commands that these keys give."""
        return tuple(c for c in self.commands if keys and self.keys(c.id) == keys)

    def with_keys(self, command: str, keys: str) -> Shortcuts:
        """With other keys for a command; who had them has none after that."""
        changes = dict(self.changes)
        changes |= {other.id: "" for other in self.users(keys)}
        changes[command] = keys
        own = {each.id: each.keys for each in self.commands}
        changed = {name: given for name, given in changes.items() if given != own.get(name)}
        return Shortcuts(self.commands, changed)

    def reset(self, command: str) -> Shortcuts:
        """With a command's own keys; who has them now has none after that."""
        return self.with_keys(command, self._own(command))

    def without_changes(self) -> Shortcuts:
        """All as Weft has them."""
        return Shortcuts(self.commands, {})

    def _own(self, command: str) -> str:
        for each in self.commands:
            if each.id == command:
                return each.keys
        raise KeyError(command)
