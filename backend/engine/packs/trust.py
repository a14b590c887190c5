"""Which packs a person has trusted, and at which hash. It stands outside of every workflow."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from backend.engine.packs.find import find_packs
from backend.engine.packs.pack import Pack, PackError

FILE = "trusted-packs.json"


@dataclass(frozen=True, slots=True)
class Trust:
    """A hash that was trusted, and the day."""

    hash: str
    day: str


def read_trust(data: Path) -> Mapping[str, Trust]:
    """What is trusted, by the pack's name.

    Raises:
        PackError: the list is there and cannot be read; then nothing is trusted.
    """
    path = data / FILE
    try:
        found = json.loads(path.read_text("utf-8"))
        return {name: Trust(str(one["hash"]), str(one["day"])) for name, one in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise PackError(
            f"The list of trusted packs {path} cannot be read ({error}), so none is used. Remove "
            "it, and trust your packs again."
        ) from None


def trust(data: Path, pack: Pack) -> None:
    """Trust a pack as it lies there now.

    Raises:
        PackError: the list cannot be read or written.
    """
    held = {**read_trust(data), pack.name: Trust(pack.hash, time.strftime("%Y-%m-%d"))}
    _write(data, held)


def revoke(data: Path, name: str) -> bool:
    """Trust a pack no more; whether it was trusted.

    Raises:
        PackError: the list cannot be read or written.
    """
    held = dict(read_trust(data))
    if held.pop(name, None) is None:
        return False
    _write(data, held)
    return True


def load_trusted(data: Path) -> tuple[list[Pack], list[str]]:
    """The packs that are trusted as they lie there, and a sentence for each other that was.

    Where nothing was ever trusted, nothing is looked for.
    """
    try:
        held = read_trust(data)
    except PackError as error:
        return [], [str(error)]
    if not held:
        return [], []
    packs, _ = find_packs(data)
    there = {pack.name: pack for pack in packs}
    good = [there[name] for name, one in held.items() if _same(there.get(name), one)]
    problems = [
        f"The node pack {name!r} has changed since you trusted it, so it is not used. Look at it, "
        f"then: weft packs trust {name}"
        if name in there
        else f"The node pack {name!r}, which you trusted, is not there any more."
        for name, one in held.items()
        if not _same(there.get(name), one)
    ]
    return good, problems


def _same(pack: Pack | None, one: Trust) -> bool:
    return pack is not None and pack.hash == one.hash


def _write(data: Path, held: Mapping[str, Trust]) -> None:
    path = data / FILE
    text = {name: {"hash": one.hash, "day": one.day} for name, one in sorted(held.items())}
    try:
        data.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=data, prefix=FILE)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(text, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise PackError(f"{path} cannot be written: {error.strerror or error}.") from error
