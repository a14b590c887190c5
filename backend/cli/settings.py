"""``weft settings``: what may be set, what it is, and where each value came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from backend.cli.errors import wrong_usage
from backend.cli.options import Json
from backend.cli.streams import Output, plain, put, tell

if TYPE_CHECKING:
    from backend.settings import Declaration, Loaded

app = typer.Typer(rich_markup_mode=None)

Key = Annotated[
    str, typer.Argument(metavar="KEY", help="A setting, such as cache.disk.", show_default=False)
]


@app.callback(invoke_without_command=True)
def settings_root(context: typer.Context) -> None:
    """Show and change settings: those of the file, the environment and the command line.

    Without a command, list them.

    \b
    Example:
      weft settings set cache.disk 50GiB
    """
    if context.invoked_subcommand is None:
        list_settings(json=False)


@app.command("list")
def list_settings(json: Json = False) -> None:
    """List every setting with its value, where it came from and what it is for.

    \b
    Example:
      weft settings list
    """
    from backend.settings import declarations

    output = Output(json)
    loaded = _loaded()
    for key, one in declarations().items():
        value, origin = loaded.value(key), loaded.origins.get(key, "")
        output.line(f"{key} = {plain(_shown(one, value))}  ({plain(_from(loaded, origin))})")
        output.line(f"    {one.text}")
        output.record({**_record(key, one, value, origin), "text": one.text})
    for key in loaded.unknown:
        tell(f"{loaded.file}: there is no setting {plain(key)}.")
        output.record({"event": "unknown", "key": key})
    output.line(f"\nFile: {loaded.file}{'' if loaded.file.exists() else ' (not there yet)'}")


@app.command("get")
def get_setting(key: Key, json: Json = False) -> None:
    """Print the value of one setting.

    \b
    Example:
      weft settings get cache.disk
    """
    output = Output(json)
    one, loaded = _declaration(key), _loaded()
    value = loaded.value(key)
    if not json:
        put(plain(_shown(one, value)))
    output.record(_record(key, one, value, loaded.origins.get(key, "")))


@app.command("set", context_settings={"ignore_unknown_options": True})
def change_setting(
    key: Key,
    value: Annotated[
        str,
        typer.Argument(
            metavar="VALUE", help="Such as 50GiB, true or a folder.", show_default=False
        ),
    ],
    json: Json = False,
) -> None:
    """Set one setting in the settings file, and leave all else in it as it is.

    Several folders are separated as in PATH.

    \b
    Example:
      weft settings set logs.keep 20
    """
    from backend.settings import SettingError, set_value, settings_file

    _declaration(key)
    try:
        set_value(settings_file(), key, value)
    except SettingError as error:
        raise wrong_usage(str(error)) from None
    _changed(key, Output(json))


@app.command("unset")
def unset_setting(key: Key, json: Json = False) -> None:
    """Take one setting out of the settings file, so that it is as Weft has it.

    \b
    Example:
      weft settings unset logs.keep
    """
    from backend.settings import SettingError, settings_file, unset

    _declaration(key)
    try:
        unset(settings_file(), key)
    except SettingError as error:
        raise wrong_usage(str(error)) from None
    _changed(key, Output(json))


def _changed(key: str, output: Output) -> None:
    """Say what a setting is now, and what is in the way where it is not what the file says."""
    import os

    one, loaded = _declaration(key), _loaded()
    value, origin = loaded.value(key), loaded.origins.get(key, "")
    output.line(f"{key} = {plain(_shown(one, value))}  ({plain(_from(loaded, origin))})")
    output.record(_record(key, one, value, origin))
    if one.variable in os.environ:
        tell(f"The environment variable {one.variable} goes before the file.")


def _declaration(key: str) -> Declaration:
    from backend.settings import declarations, near

    if key not in declarations():
        raise wrong_usage(f"There is no setting {plain(key)!r}.{near(key)}")
    return declarations()[key]


def _loaded() -> Loaded:
    from backend.settings import SettingError, load

    try:
        return load()
    except SettingError as error:
        raise wrong_usage(str(error)) from None


def _shown(one: Declaration, value: Any) -> str:
    from backend.settings import show_value

    return show_value(one, value)


def _from(loaded: Loaded, origin: str) -> str:
    if not origin:
        return "default"
    return "file" if origin == str(loaded.file) else origin


def _record(key: str, one: Declaration, value: Any, origin: str) -> dict[str, Any]:
    return {
        "event": "setting",
        "key": key,
        "value": value,
        "default": one.default,
        "origin": origin or "default",
        "variable": one.variable,
    }
