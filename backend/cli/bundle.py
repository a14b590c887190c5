"""``weft doctor --bundle``: what a bug report needs, in one zip file, without prompts or paths."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
import time
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.cli.errors import FAILED, Stop, wrong_usage
from backend.cli.redact import Redaction

if TYPE_CHECKING:
    from backend.cli.doctor import Finding
    from backend.settings import Loaded, Settings

MOST_LOG = 4 << 20
"""Bytes of the log that go along, the newest."""
VARIABLES = ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "PYTORCH_CUDA_ALLOC_CONF")
_FOLDERS = "Folders"


def write_bundle(path: Path, findings: Iterable[Finding], *, paths: bool, prompts: bool) -> None:
    """Pack versions, devices, settings, a summary of cache and queue, and the log.

    Raises:
        Stop: there is such a file already, or it cannot be written.
    """
    from backend.settings import SettingError, load

    if path.suffix.lower() != ".zip":
        raise wrong_usage(f"--bundle {path}: name a file that ends in .zip.")
    if path.exists():
        raise wrong_usage(f"--bundle {path}: there is such a file already; name another.")
    redaction = Redaction(paths, prompts, _commands())
    loaded, problem = None, ""
    try:
        loaded = load()
    except SettingError as error:
        problem = redaction.sentence(str(error))
    report = {
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "findings": [_finding(each, redaction) for each in findings],
        "machine": _machine(),
        "environment": {n: redaction.sentence(os.environ[n]) for n in VARIABLES if n in os.environ},
        "settings": _settings(loaded, redaction) if loaded else problem,
        "cache": _cache(loaded.settings, redaction) if loaded else "not looked at",
        "queue": _queue(loaded.settings, redaction) if loaded else "not looked at",
    }
    log = redaction.log(_log(loaded.settings if loaded else None))
    try:
        _pack(path, {"report.json": json.dumps(report, indent=2), "weft.log": log})
    except OSError as error:
        raise Stop(f"{path} cannot be written: {error.strerror or error}.", FAILED) from None


def _commands() -> frozenset[str]:
    """The names of all commands."""
    from backend.cli.app import app

    single = (
        each.name or getattr(each.callback, "__name__", "") for each in app.registered_commands
    )
    return frozenset((*single, *(str(group.name) for group in app.registered_groups)))


def _finding(finding: Finding, redaction: Redaction) -> dict[str, str]:
    value = finding.value
    if finding.topic == _FOLDERS and not redaction.paths:
        value = "there" if Path(finding.value).is_dir() else "not there yet"
    return {
        "topic": finding.topic,
        "name": finding.name,
        "value": redaction.sentence(value),
        "problem": redaction.sentence(finding.problem),
    }


def _machine() -> dict[str, Any]:
    """Memory and free disk, in bytes."""
    found: dict[str, Any] = {}
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found["memory"] = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    found["free_temporary"] = shutil.disk_usage(tempfile.gettempdir()).free
    return found


def _settings(loaded: Loaded, redaction: Redaction) -> dict[str, Any]:
    """Every setting with its origin; of those that name folders only whether they are set."""
    from backend.settings import declarations, show_value

    found: dict[str, Any] = {}
    for key, one in declarations().items():
        value, origin = loaded.value(key), loaded.origins.get(key, "default")
        named = key.startswith(("folders.", "models."))
        shown = show_value(one, value)
        if named and not redaction.paths:
            shown = "(default)" if value == one.default else "(set)"
        origin = "file" if origin == str(loaded.file) else origin
        found[key] = {"value": redaction.sentence(shown), "origin": origin}
    found["unknown keys"] = len(loaded.unknown)
    return found


def _cache(settings: Settings, redaction: Redaction) -> Any:
    from backend.engine.disk import RESULTS, DiskCache
    from backend.settings import cache_folder

    cache = DiskCache(cache_folder(settings) / RESULTS, settings.cache.disk, settings.cache.costly)
    try:
        held = cache.info()
        troubles = [redaction.sentence(each) for each in cache.troubles()]
        return {"results": held.entries, "bytes": held.nbytes, "troubles": troubles}
    except (OSError, sqlite3.Error) as error:
        return redaction.sentence(f"cannot be read: {error}")
    finally:
        cache.close()


def _queue(settings: Settings, redaction: Redaction) -> Any:
    from backend.engine.queue.errors import QueueError
    from backend.engine.queue.place import FILE
    from backend.engine.queue.store import Queue
    from backend.settings import data_folder

    place = data_folder(settings) / FILE
    if not place.is_file():
        return "there is none yet"
    try:
        with Queue(place) as queue:
            now = queue.standing
            ended: dict[str, int] = {}
            for job in queue.ended():
                ended[str(job.state)] = ended.get(str(job.state), 0) + 1
    except QueueError as error:
        return redaction.sentence(str(error))
    counts = {"queued": now.queued, "held": now.held, "running": now.running, "paused": now.paused}
    return {**counts, "ended": ended}


def _log(settings: Settings | None) -> str:
    """The newest part of the log."""
    from backend.logs import Log
    from backend.settings import Settings, log_folder

    settings = settings or Settings()
    files = Log(log_folder(settings), settings.logs.size, settings.logs.keep).files()
    return _newest(files).decode("utf-8", "replace")


def _newest(files: Iterable[Path]) -> bytes:
    parts: list[bytes] = []
    room = MOST_LOG
    for path in reversed(tuple(files)):
        try:
            raw = path.read_bytes()[-room:] if room else b""
        except OSError:
            continue  # it was put away meanwhile
        parts.append(raw)
        room -= len(raw)
    return b"".join(reversed(parts))


def _pack(path: Path, texts: dict[str, str]) -> None:
    """Write the zip file whole or not at all, readable by its owner only."""
    handle, temporary = tempfile.mkstemp(dir=path.absolute().parent, suffix=".zip")
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as z:
            for name, text in texts.items():
                z.writestr(name, text + "\n")
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
