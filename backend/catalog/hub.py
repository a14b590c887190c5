"""Naming what to get: a URL, or ``hf:ORG/REPO[/FILE][@REV]`` on a Hugging Face hub."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from backend.catalog.components import PICKLES
from backend.catalog.errors import CatalogError
from backend.catalog.web import CUT, Hub, asked, check_url
from backend.values.filenames import is_reserved

SUFFIXES = (".safetensors", ".gguf", ".json", ".txt", ".model", ".jinja")
"""What is got: weights that cannot run code, configs and tokenizers."""
MAX_LISTING = 32 * 2**20
_WORD = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_HUB = re.compile(rf"hf:({_WORD})/({_WORD})(?:/([^@]+))?(?:@([A-Za-z0-9][A-Za-z0-9._/-]*))?")
_VARIANT = re.compile(r"\.(?:fp16|bf16|fp32|fp8|non_ema|ema_only)(?:-\d+-of-\d+)?\.")


@dataclass(frozen=True)
class Wanted:
    """One file to get: from where, and under which path below the models folder it is put."""

    url: str
    path: PurePosixPath


def wanted(
    source: str, hub: Hub, *, name: str = "", only: Sequence[str] = ()
) -> tuple[Wanted, ...]:
    """The files that a source means. Of a whole repository, its listing is asked for.

    Of a diffusers repository those of its components are taken, without variants where there is
    a plain file and without the checkpoints beside them; ``only`` are patterns that choose
    otherwise. ``name`` replaces the file name of a single file.

    Raises:
        CatalogError: the source is none, is not there, or has nothing that can be got.
    """
    if not source.startswith("hf:"):
        check_url(source)
        called = name or unquote(PurePosixPath(urlsplit(source).path).name)
        return (Wanted(source, safe_path(called, source)),)
    match = _HUB.fullmatch(source)
    if match is None or ".." in source:
        raise CatalogError(
            f"{source!r} does not name a model. Write hf:ORG/REPO, hf:ORG/REPO/FILE or either "
            "with @REVISION."
        )
    repository, file, revision = f"{match[1]}/{match[2]}", match[3], match[4] or "main"
    home = PurePosixPath(*(f"_{n}" if is_reserved(n) else n for n in (match[1], match[2])))
    if file:
        target = home / safe_path(name or file, source)
        return (Wanted(_address(hub, repository, revision, file), target),)
    # One revision for all files, even if the repository changes while they are got.
    exact, files = _listing(hub, repository, revision)
    named = [f for f in files if any(fnmatch.fnmatchcase(f, each) for each in only)]
    chosen = (fine_files(named) or named) if only else usual_files(files)
    if not chosen:
        raise CatalogError(
            f"{source} has no file that can be got ({_shown(files)}). Weft gets "
            f"{', '.join(SUFFIXES)}; pickles are refused."
        )
    return tuple(
        Wanted(_address(hub, repository, exact, f), home / safe_path(f, source)) for f in chosen
    )


def fine_files(files: Sequence[str]) -> list[str]:
    """The files of a repository that cannot run code and are not hidden."""
    return [f for f in files if f.endswith(SUFFIXES) and not PurePosixPath(f).name.startswith(".")]


def usual_files(files: Sequence[str]) -> list[str]:
    """The files of a repository that a person most likely wants."""
    fine = fine_files(files)
    if "model_index.json" in files:
        fine = [f for f in fine if f == "model_index.json" or f.count("/") == 1]
    folders = {
        str(PurePosixPath(f).parent) for f in fine if _is_weight(f) and not _VARIANT.search(f)
    }
    return [
        f for f in fine
        if not (_VARIANT.search(f) and str(PurePosixPath(f).parent) in folders)
    ]  # fmt: skip


def safe_path(path: str, source: str) -> PurePosixPath:
    """A relative path of plain names that end as a model's files do.

    Raises:
        CatalogError: it is a pickle, has another ending, or a name that cannot be one.
    """
    parts = path.split("/")
    for part in parts:
        bad = not part or part.startswith(".") or part.endswith((" ", ".")) or len(part) > 200
        if bad or any(ord(c) < 32 or c in '<>:"\\|?*\x7f' for c in part):
            raise CatalogError(f"{source}: {path[:200]!r} cannot be a file's name. Give --name.")
        if is_reserved(part):
            raise CatalogError(
                f"{source}: Windows keeps the name {part!r} for a device. Give another with "
                "--name, or choose files of a whole repository with --only."
            )
    if path.lower().endswith(PICKLES):
        raise CatalogError(
            f"{source}: {parts[-1]} is a pickle, which can run code when it is read, so it is "
            "refused. Get the model's safetensors or GGUF version."
        )
    if not path.endswith(SUFFIXES):
        raise CatalogError(
            f"{source}: {parts[-1]!r} does not end in {', '.join(SUFFIXES)}. Give --name if the "
            "address does not tell the file's name."
        )
    return PurePosixPath(path)


def _listing(hub: Hub, repository: str, revision: str) -> tuple[str, list[str]]:
    url = f"{hub.endpoint}/api/models/{repository}/revision/{quote(revision, safe='')}"
    try:
        with asked(url, hub, {}) as answer:
            raw = answer.body.read(MAX_LISTING + 1)
    except CUT as error:
        raise CatalogError(f"{url} broke off ({error}). Try again later.") from None
    try:
        found: Any = json.loads(raw)
        files = [str(each["rfilename"]) for each in found["siblings"]]
        return str(found.get("sha") or revision), sorted(files)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CatalogError(f"{url} gave no listing of a repository. Try again later.") from error


def _address(hub: Hub, repository: str, revision: str, file: str) -> str:
    return f"{hub.endpoint}/{repository}/resolve/{quote(revision, safe='')}/{quote(file)}"


def _is_weight(file: str) -> bool:
    return file.endswith((".safetensors", ".gguf"))


def _shown(files: Sequence[str]) -> str:
    return f"it has {', '.join(files[:5])}{' ...' if len(files) > 5 else ''}" if files else "empty"
