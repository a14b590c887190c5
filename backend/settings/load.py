"""Settings from the file, the environment and the command line, later ones winning."""

from __future__ import annotations

import dataclasses
import difflib
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from platformdirs import PlatformDirs

from backend.settings.declared import Settings, declarations
from backend.settings.values import SettingError, read_value

FILE_VARIABLE = "WEFT_SETTINGS"


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings, and where each that is not as Weft has it came from, by key.

    ``unknown`` are keys of the file that Weft does not know; they are kept and have no effect.
    """

    settings: Settings
    origins: Mapping[str, str]
    file: Path
    unknown: tuple[str, ...] = ()

    def value(self, key: str) -> Any:
        """The value of a key such as ``cache.disk``."""
        section, _, name = key.partition(".")
        return getattr(getattr(self.settings, section), name)


def settings_file(environ: Mapping[str, str] = os.environ) -> Path:
    """The user's settings: ``WEFT_SETTINGS``, or ``settings.toml`` where the system keeps such.

    Raises:
        SettingError: neither is known, since the user has no home folder.
    """
    named = environ.get(FILE_VARIABLE)
    if named:
        return Path(named).absolute()
    return own_folder(lambda dirs: dirs.user_config_path) / "settings.toml"


def own_folder(which: Callable[[PlatformDirs], Path]) -> Path:
    """One of the folders that the system keeps for Weft.

    Raises:
        SettingError: there is none, since the user has no home folder.
    """
    try:
        return which(PlatformDirs("weft", appauthor=False))
    except RuntimeError:
        raise SettingError(
            "This user has no home folder, so Weft's settings, cache and queue have no place. "
            "Set HOME to a folder that may be written to."
        ) from None


def load(
    file: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    flags: Mapping[str, Any] = MappingProxyType({}),
) -> Loaded:
    """All settings: ``flags`` (by key) before ``WEFT_*`` variables before the file.

    Raises:
        SettingError: the file is broken or has no place, or a value is of the wrong kind or out of
            bounds.
    """
    path = settings_file(environ) if file is None else file
    values, origins = {}, {}
    written = read_file(path)
    for key, one in declarations().items():
        found: tuple[Any, str] | None = None
        if key in written:
            found = written.pop(key), str(path)
        if one.variable in environ:
            found = environ[one.variable], one.variable
        if key in flags:
            found = flags[key], "command line"
        if found is None:
            continue
        try:
            values[key] = read_value(one, found[0])
        except ValueError as error:
            if key in flags:
                option = key.rpartition(".")[2]
                raise SettingError(f"--{option} {found[0]}: {error}.") from None
            raise SettingError(f"{key} in {found[1]}: {error}, not {found[0]!r}.") from None
        origins[key] = found[1]
    return Loaded(_settings(values), MappingProxyType(origins), path, tuple(written))


def read_file(path: Path) -> dict[str, Any]:
    """The values in a settings file by key; nothing where there is no file.

    Raises:
        SettingError: it cannot be read, is no TOML, or has a value outside a section.
    """
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except OSError as error:
        raise SettingError(f"{path} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise SettingError(f"{path} cannot be read: it is no text in UTF-8.") from None
    except (ValueError, RecursionError) as error:
        raise SettingError(f"{path} cannot be read ({error}). Correct the file.") from None
    found: dict[str, Any] = {}
    for section, held in tree.items():
        if not isinstance(held, dict):
            raise SettingError(f"{path}: {section} stands outside a [section]. Move it into one.")
        found |= {f"{section}.{name}": value for name, value in held.items()}
    return found


def near(key: str) -> str:
    """A hint at the setting that was meant, with a space in front; empty where none is alike."""
    alike = difflib.get_close_matches(key, declarations(), n=1)
    return f" Did you mean {alike[0]}?" if alike else ""


def _settings(values: Mapping[str, Any]) -> Settings:
    given = Settings()
    for section in fields(Settings):
        inner = {
            key.partition(".")[2]: value
            for key, value in values.items()
            if key.startswith(section.name + ".")
        }
        held = dataclasses.replace(getattr(given, section.name), **inner)
        given = dataclasses.replace(given, **{section.name: held})
    return given
