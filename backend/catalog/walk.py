"""Finding models below a folder by names and stats alone; nothing is opened but folders.

What is found is a single weight file, the shards of one, or a diffusers folder. Links are not
followed, for they may lead anywhere and twice to the same place; only in a Hugging Face cache,
which consists of them, a link is followed to the blobs of its own repository, and in a diffusers
folder one to a component that several models share.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import blake3

from backend.catalog.components import PICKLES, SHARD
from backend.catalog.roots import Root

WEIGHTS = (".safetensors", ".gguf", *PICKLES)
MAX_DEPTH = 24
_BELOW = (".json", ".txt", ".model", ".safetensors", *PICKLES)
"""What counts in a model folder."""


@dataclass(frozen=True)
class Seen:
    """A model as its files' stats show it, before anything is read."""

    path: str
    root: str
    name: str
    kind: str
    files: tuple[str, ...]
    size: int
    stamp: str
    problem: str = ""


@dataclass
class Walk:
    """A walk over one root; ``troubles`` are sentences on what could not be looked at, and
    ``closed`` are the folders among it, each with its sentence."""

    root: Root
    troubles: list[str] = field(default_factory=list)
    closed: dict[str, str] = field(default_factory=dict)

    def models(self) -> Iterator[Seen]:
        """Every model below the root."""
        if self.root.layout != "hub":
            yield from self._below(str(self.root.path), None)
            return
        for repository in self._listed(str(self.root.path)):
            if repository.name.startswith("models--") and repository.is_dir(follow_symlinks=False):
                blobs = os.path.realpath(os.path.join(repository.path, "blobs"))
                for snapshot in self._listed(os.path.join(repository.path, "snapshots")):
                    if snapshot.is_dir(follow_symlinks=False):
                        yield from self._below(snapshot.path, blobs)

    def _below(self, top: str, blobs: str | None) -> Iterator[Seen]:
        waiting = [(top, 0)]
        while waiting:
            place, depth = waiting.pop()
            folders: list[str] = []
            files: dict[str, tuple[int, int, str]] = {}
            for entry in self._listed(place):
                if _hidden(entry.name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if self._writable(entry):
                        folders.append(entry.path)
                elif entry.name.lower().endswith(WEIGHTS) or entry.name == "model_index.json":
                    stat = self._stat(entry, blobs)
                    if stat is not None:
                        files[entry.name] = stat
            if files.pop("model_index.json", None) is not None:
                yield self._folder(place, blobs)
            elif depth < MAX_DEPTH:
                waiting += [(folder, depth + 1) for folder in sorted(folders, reverse=True)]
            yield from self._files(place, files)

    def _files(self, place: str, files: dict[str, tuple[int, int, str]]) -> Iterator[Seen]:
        """The weight files of one folder, shards together."""
        groups: dict[str, list[str]] = {}
        for name in sorted(files):
            shard = SHARD.match(name)
            key = f"{shard[1]}-of-{shard[3]}" if shard and name.endswith("safetensors") else name
            groups.setdefault(key, []).append(name)
        for names in groups.values():
            facts = [(name, files[name][0], files[name][1]) for name in names]
            problem = next((files[name][2] for name in names if files[name][2]), "")
            problem = problem or _incomplete(place, names)
            path = os.path.join(place, names[0])
            kind = "shards" if len(names) > 1 else "file"
            yield self._seen(path, kind, facts, problem)

    def _folder(self, place: str, blobs: str | None) -> Seen:
        """A diffusers folder: its own small files, and those of its components."""
        facts: list[tuple[str, int, int]] = []
        problem = ""
        waiting = [(place, "")]
        while waiting:
            folder, before = waiting.pop()
            for entry in self._listed(folder):
                if _hidden(entry.name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if not before and self._writable(entry):
                        waiting.append((entry.path, f"{entry.name}/"))
                elif not before and entry.is_symlink() and entry.is_dir():
                    facts += self._shared(entry)
                elif entry.name.endswith(_BELOW) and (before or entry.name.endswith(".json")):
                    stat = self._stat(entry, blobs)
                    if stat is not None:
                        facts.append((before + entry.name, stat[0], stat[1]))
                        problem = problem or stat[2]
        return self._seen(place, "folder", facts, problem)

    def _shared(self, component: os.DirEntry[str]) -> Iterator[tuple[str, int, int]]:
        """The files of a component that is a link to another model's, as a loader reads them."""
        for entry in self._listed(component.path) if self._writable(component) else ():
            if entry.name.endswith(_BELOW) and self._writable(entry):
                try:
                    stat = entry.stat()
                except OSError:  # a link to nothing, which reading the folder tells
                    continue
                yield f"{component.name}/{entry.name}", stat.st_size, stat.st_mtime_ns

    def _seen(self, path: str, kind: str, facts: list[tuple[str, int, int]], problem: str) -> Seen:
        facts.sort()
        files = tuple(name for name, _, _ in facts)
        size = sum(size for _, size, _ in facts)
        name = self._name(path)
        return Seen(path, str(self.root.path), name, kind, files, size, _stamp(facts), problem)

    def _name(self, path: str) -> str:
        """Relative to the root; in a Hugging Face cache the repository and the file in it."""
        parts = Path(path).relative_to(self.root.path).parts
        if self.root.layout == "hub":
            repository = parts[0].removeprefix("models--").replace("--", "/", 1)
            parts = (repository, *parts[3:])
        return "/".join(parts) or self.root.path.name

    def _listed(self, place: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(place) as entries:
                return list(entries)
        except FileNotFoundError:
            return []
        except OSError as error:
            said = f"{place} cannot be looked into ({error.strerror}). See to it and scan again."
            self.troubles.append(said)
            self.closed[place] = said
            return []

    def _writable(self, entry: os.DirEntry[str]) -> bool:
        """Whether a name can be written down."""
        try:
            entry.name.encode()
        except UnicodeEncodeError:
            shown = entry.path.encode("utf-8", "backslashreplace").decode()
            self.troubles.append(f"{shown} has a name that is not UTF-8. Rename it.")
            return False
        return True

    def _stat(self, entry: os.DirEntry[str], blobs: str | None) -> tuple[int, int, str] | None:
        """Size, time in nanoseconds and problem of a file; None where it is no file."""
        if not self._writable(entry):
            return None
        try:
            if not entry.is_symlink():
                if not entry.is_file(follow_symlinks=False):
                    return None
                stat = entry.stat(follow_symlinks=False)
                return stat.st_size, stat.st_mtime_ns, ""
            real = os.path.realpath(entry.path)
            if blobs is not None and os.path.dirname(real) == blobs:
                stat = os.stat(real)
                return stat.st_size, stat.st_mtime_ns, ""
        except OSError as error:
            return 0, 0, f"{entry.path} cannot be looked at ({error.strerror})."
        what = "its own repository's blobs" if blobs is not None else "a file in this folder"
        return 0, 0, (
            f"{entry.path} is a link, and not to {what}; links are not followed. Add the folder "
            "that it leads to with `weft models add`."
        )  # fmt: skip


def stamp_of(home: Path, files: Iterable[str]) -> str:
    """The stamp that a scan would give some files below a folder now.

    Raises:
        OSError: one of them is not there any more.
    """
    stats = [(name, os.stat(home / name)) for name in files]
    return _stamp(sorted((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats))


def _stamp(facts: list[tuple[str, int, int]]) -> str:
    """What is another one as soon as the size or the time of a file is."""
    if len(facts) == 1:
        return f"{facts[0][1]}:{facts[0][2]}"
    return blake3.blake3(repr(facts).encode("utf-8", "surrogateescape")).hexdigest()


def _incomplete(place: str, names: list[str]) -> str:
    """What is wrong with the shards of one model; "" of a file that is none."""
    shard = SHARD.match(names[0])
    if shard is None:
        return ""
    if names[0].endswith(".gguf"):
        return (
            f"{os.path.join(place, names[0])} is one of {int(shard[3])} pieces of a GGUF file, "
            "which are not read. Join them with `llama-gguf-split --merge`, or get the whole file."
        )
    wanted = set(range(1, int(shard[3]) + 1))
    there = {int(each[2]) for name in names if (each := SHARD.match(name))}
    if wanted and wanted == there:
        return ""
    return (
        f"{place} has only {len(there & wanted)} of {len(wanted)} shards of {shard[1]}. Get the "
        "missing files."
    )


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__pycache__"
