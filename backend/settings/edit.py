"""Changes of the settings file that leave its comments and everything else as they are."""

from __future__ import annotations

import os
import tempfile
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

    def put(document: Any) -> None:
        import tomlkit

        if section not in document:
            document[section] = tomlkit.table()
        document[section][name] = written

    _edit(path, put)


def unset(path: Path, key: str) -> None:
    """Take one setting out of the file, so that it is as Weft has it.

    Raises:
        SettingError: there is no such setting, or the file cannot be edited.
    """
    section, name = _split(key)

    def drop(document: Any) -> None:
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


def _edit(path: Path, change: Callable[[Any], None]) -> None:
    import tomlkit

    path = path.resolve()  # where it is a link, what it leads to is written
    read_file(path)  # says what is wrong with a broken file
    try:
        document = tomlkit.parse(path.read_text(encoding="utf-8") if path.exists() else "")
        change(document)
        _write(path, tomlkit.dumps(document))
    except OSError as error:
        raise SettingError(f"{path} cannot be written ({error.strerror or error}).") from None


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
