"""Changes of the settings file that leave its comments and everything else as they are."""

from __future__ import annotations

import os
import shutil
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backend.settings.declared import declarations
from backend.settings.load import near, read_file
from backend.settings.values import SettingError, read_value, show_value


def set_value(path: Path, key: str, given: Any) -> None:
    """Set one setting in the file; ``given`` is its value, or text such as ``20GiB``.

    Raises:
        SettingError: there is no such setting, the value is wrong, or the file cannot be edited.
    """
    section, name = _split(key)
    one = declarations()[key]
    try:
        value = read_value(one, given)
    except ValueError as error:
        raise SettingError(f"{key}: {error}, not {given!r}.") from None
    if one.kind == "size":
        value = show_value(one, value)
    written: Any = list(value) if isinstance(value, tuple) else value

    def put(document: Any, table: Callable[[], Any]) -> None:
        if section not in document:
            document[section] = table()
        document[section][name] = written

    _edit(path, put)


def unset(path: Path, key: str) -> None:
    """Take one setting out of the file, so that it is as Weft has it.

    Raises:
        SettingError: there is no such setting, or the file cannot be edited.
    """
    section, name = _split(key)

    def drop(document: Any, table: Callable[[], Any]) -> None:
        if section in document:
            document[section].pop(name, None)
            if not document[section]:
                del document[section]

    if path.exists():
        _edit(path, drop)


def _split(key: str) -> tuple[str, str]:
    if key not in declarations():
        raise SettingError(f"There is no setting {key!r}.{near(key)}")
    section, _, name = key.partition(".")
    return section, name


def _edit(path: Path, change: Callable[[Any, Callable[[], Any]], None]) -> None:
    """Change the file; ``change`` gets the tree and what makes a new section."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    path = path.resolve()  # where it is a link, what it leads to is written
    read_file(path)  # says what is wrong with a broken file
    try:
        text = _read(path)
        wanted = tomllib.loads(text)
        change(wanted, dict)
        try:
            document = tomlkit.parse(text)
            change(document, tomlkit.table)
            text = tomlkit.dumps(document)
            good = tomllib.loads(text) == wanted
        except (TOMLKitError, tomllib.TOMLDecodeError, TypeError, KeyError):
            good = False
        if not good:
            raise SettingError(
                f"{path} is written in a way that is not understood. Edit it by hand."
            )
        _write(path, text)
    except OSError as error:
        raise SettingError(f"{path} cannot be written ({error.strerror or error}).") from None


def _read(path: Path) -> str:
    if not path.exists():
        return ""
    with path.open(encoding="utf-8", newline="") as file:  # line ends stay as they are
        return file.read()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, temporary)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
