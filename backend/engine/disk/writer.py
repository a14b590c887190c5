"""What writes to the disk cache: one batch of results at a time, in one transaction."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from backend.engine.disk.entry import Unkept, facts_of, remove_entry, result_of, write_entry
from backend.engine.disk.index import Index, New, Newer, Totals, is_corrupt
from backend.engine.disk.sweep import Verified, put_aside, rebuild, remove_all, sweep, verify
from backend.engine.disk.troubles import Troubles
from backend.media.journal import Intent, new_token
from backend.media.trees import sync_folder
from backend.plan.result import Result
from backend.values import Data

INDEX = "index.sqlite"
_NONE: Mapping[str, Data] = MappingProxyType({})


@dataclass(slots=True)
class Batch:
    """What waits to be written: first what is ``forgotten`` goes, then the rest is put.

    ``whole`` results go to files, of ``cheap`` ones the digests are kept; both by key, with their
    static key. ``nbytes`` are those of the whole ones.
    """

    whole: dict[str, tuple[str, Result]] = field(default_factory=dict)
    cheap: dict[str, tuple[str, Result]] = field(default_factory=dict)
    decisions: dict[str, frozenset[str]] = field(default_factory=dict)
    forgotten: set[str] = field(default_factory=set)
    used: dict[str, None] = field(default_factory=dict)
    nbytes: int = 0
    left: Batch | None = None

    def known(self, key: str) -> Result | None:
        """What is known of a key, without values."""
        found = self.whole.get(key) or self.cheap.get(key)
        return stripped(found[1]) if found is not None else None

    def keep(self, key: str, static: str, result: Result) -> None:
        """Have a result written."""
        self._drop(key)
        self.whole[key] = (static, result)
        self.nbytes += result.nbytes

    def remember(self, key: str, static: str, result: Result, most: int) -> None:
        """Have the digests of a result written with the rest; beyond ``most`` the oldest go."""
        self._drop(key)
        self.cheap[key] = (static, stripped(result))
        if len(self.cheap) > most:
            del self.cheap[next(iter(self.cheap))]

    def decide(self, key: str, names: frozenset[str], most: int) -> None:
        """Have a decision written with the rest; beyond ``most`` the oldest go."""
        self.decisions[key] = names
        if len(self.decisions) > most:
            del self.decisions[next(iter(self.decisions))]

    def forget(self, key: str) -> None:
        """Have all that is known of a key dropped."""
        self._drop(key)
        self.forgotten.add(key)

    def take_back(self, failed: Batch | None) -> None:
        """Have the small things of a batch that could not be written go with the next one."""
        if failed is not None:
            self.cheap = failed.cheap | self.cheap
            self.decisions = failed.decisions | self.decisions
            self.forgotten |= failed.forgotten

    def _drop(self, key: str) -> None:
        old = self.whole.pop(key, None)
        self.nbytes -= old[1].nbytes if old is not None else 0
        self.cheap.pop(key, None)


class Writer:
    """Writes batches to a folder; used by one thread at a time. ``off`` once it must not be used.

    ``broken`` is set by whoever sees that the index is.
    """

    def __init__(self, root: Path, budget: int, troubles: Troubles) -> None:
        self.off = self.broken = False
        self._root, self._budget, self._troubles = root, budget, troubles
        self._index: Index | None = None
        self._intent: Intent | None = None
        self._token, self._count = "", 0
        self._removed = 0

    def write(self, batch: Batch) -> bool:
        """Write a batch; whether the index is another file than before. Nothing that the disk does
        is raised; what is small and could not be written is ``left`` in the batch."""
        before = self._index
        for again in (True, False):
            written: list[str] = []
            try:
                index = self._open()
                if index is not None:
                    self._write(index, batch, written)
                break
            except (OSError, sqlite3.Error) as error:
                for file in written:
                    remove_entry(self._root, file)
                if isinstance(error, sqlite3.Error) and is_corrupt(error):
                    self.broken = True
                gone = self._index is not None and not self._index.stands
                if again and (self.broken or gone):
                    continue  # with a new index, or in a new folder
                batch.left = Batch(
                    cheap=batch.cheap, decisions=batch.decisions, forgotten=batch.forgotten
                )
                self._troubles.cannot_write(error)
        return self._index is not before

    def clear(self) -> Totals:
        """Drop every entry, and an index that cannot be used; what was there.

        Raises:
            OSError: it cannot be removed.
        """
        if not os.path.isdir(self._root):
            return Totals()
        self.close()
        path = self._root / INDEX
        try:
            held = self._clear_index(path)
        except (Newer, sqlite3.Error):  # maybe the disk is so full that the index cannot be written
            put_aside(path)
            held = remove_all(self._root)
        path.with_suffix(".broken").unlink(missing_ok=True)
        self.off = False
        return held

    def _clear_index(self, path: Path) -> Totals:
        index = Index(path, create=True)
        try:
            held = index.totals()
            with index.transaction():
                gone = index.clear()
            for file in gone:
                remove_entry(self._root, file)
            sweep(self._root, index, self._budget)
        finally:
            index.close()
        return held

    def verify(self) -> Verified:
        """Read every entry; remove those that are damaged, and files that belong to none.

        Raises:
            OSError, sqlite3.Error: the folder cannot be read, or not be written to.
        """
        if not os.path.exists(self._root / INDEX):
            return Verified(0, 0, 0)
        try:
            index = self._open()
            found = verify(self._root, index, self._budget) if index else Verified(0, 0, 0)
            return replace(found, orphans=found.orphans + self._removed)
        except sqlite3.Error as error:
            if self.broken or not is_corrupt(error):
                raise
            self.broken = True
            return self.verify()

    def close(self) -> None:
        """Let go of the folder."""
        if self._index is not None:
            self._index.close()
            self._index = None
        if self._intent is not None:
            self._intent.forget()
            self._intent = None

    def _open(self) -> Index | None:
        """The index for writing: made, made anew or cleaned up where that is needed."""
        if self._index is not None and (self.broken or not self._index.stands):
            self.close()
        if self._index is None and not self.off:
            self._root.mkdir(parents=True, exist_ok=True)
            self._token, self._count = new_token(), 0
            self._intent = Intent(self._root, self._token)
            try:
                self._index = self._opened()
                self._removed += sweep(self._root, self._index, self._budget)
            except Newer:
                self.off = True
                self._troubles.newer()
            except sqlite3.Error as error:
                self.close()
                if self.broken or not is_corrupt(error):
                    raise
                self.broken = True
                return self._open()
            finally:
                if self._index is None:
                    self.close()
        return self._index

    def _opened(self) -> Index:
        path = self._root / INDEX
        if self.broken:
            put_aside(path)
        index = Index(path, create=True)
        if index.is_new and (count := rebuild(self._root, index)):
            self._troubles.rebuilt(count)
        self.broken = False
        return index

    def _write(self, index: Index, batch: Batch, written: list[str]) -> None:
        rows = []
        for key, (static, result) in batch.whole.items():
            old = index.row(key) if key not in batch.forgotten else None
            if old is not None and old.whole and _same(old.facts, result):
                continue
            row = self._row(key, static, result)
            rows.append(row)
            written += [row.file] if row.file is not None else []
        if written:
            sync_folder(self._root)
        cheap = [
            New(key, static, facts_of(result), result.seconds)
            for key, (static, result) in batch.cheap.items()
        ]
        if not (rows or cheap or batch.forgotten or batch.used or batch.decisions):
            return
        gone: list[str | None] = []
        with index.transaction():
            gone += [index.forget(key) for key in batch.forgotten]
            index.remember(cheap)
            index.decide(batch.decisions.items())
            index.touch(batch.used)
            gone += [index.put(row) for row in rows]
            gone += index.shrink(self._budget)
        written.clear()
        for file in gone:
            if file is not None:
                remove_entry(self._root, file)

    def _row(self, key: str, static: str, result: Result) -> New:
        """Write the file of a result; its row, without a file where that could not be written."""
        facts = facts_of(result)
        if not result.values and not result.preview:
            return New(key, static, facts, result.seconds, True)
        if result.nbytes > self._budget:
            return New(key, static, facts, result.seconds)
        self._count += 1
        token = f"{self._token}-{self._count}"
        try:
            found = write_entry(self._root, token, key, static, result)
        except Unkept:
            return New(key, static, facts, result.seconds)
        except OSError as error:
            if not os.path.isdir(self._root):
                raise
            self._troubles.cannot_write(error)
            return New(key, static, facts, result.seconds)
        return New(key, static, facts, result.seconds, True, found.file, found.nbytes)


def stripped(result: Result) -> Result:
    """A result without its values."""
    return Result(_NONE, result.digests, result.summary, result.seconds, 0, result.saved)


def _same(facts: str, result: Result) -> bool:
    try:
        known = result_of(facts)
    except ValueError:
        return False
    return known.digests == dict(result.digests) and known.saved == result.saved
