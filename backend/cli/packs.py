"""``weft packs``: which node packs are there, and which may run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backend.cli.errors import FAILED, Stop, near, wrong_usage
from backend.cli.options import Json
from backend.cli.places import user_settings
from backend.cli.streams import Output, tell

if TYPE_CHECKING:
    from backend.engine.packs import Pack, Trust

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="As `weft packs list` calls it.", show_default=False),
]


@app.callback()
def packs_root() -> None:
    """Say which node packs may run. A pack is code; Weft runs none that you have not trusted.

    \b
    Example:
      weft packs list
    """


@app.command("list")
def list_packs(json: Json = False) -> None:
    """Show every node pack with its hash, and whether it is trusted. Nothing of it is run.

    Packs are the folders below `packs` in Weft's data folder (`weft settings`), and installed
    packages that name themselves under the entry-point group `weft.nodes`.

    \b
    Example:
      weft packs list
    """
    from backend.engine.packs import find_packs

    output = Output(json)
    packs, problems = find_packs(_data())
    held = _held()
    for pack in packs:
        state = _state(pack, held)
        output.line(f"{pack.name:24} {state:12} {_size(pack):10} {pack.hash[:19]}  {pack.root}")
        output.record(
            {
                "event": "pack",
                "name": pack.name,
                "state": state,
                "kind": pack.kind,
                "hash": pack.hash,
                "files": len(pack.files),
                "path": str(pack.root),
            }
        )
    for name in sorted(held.keys() - {pack.name for pack in packs}):
        output.line(f"{name:24} {'gone':12} trusted on {held[name].day}")
        output.record({"event": "pack", "name": name, "state": "gone", "hash": held[name].hash})
    for problem in problems:
        tell(problem)
    if not packs and not held:
        output.line(f"There are no node packs. A pack is a folder in {_folder()}.")


@app.command("trust")
def trust_pack(
    name: Name,
    expected: Annotated[
        str,
        typer.Option(
            "--hash", metavar="HASH", help="Trust it only if it has this hash.", show_default=False
        ),
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Let a pack run exactly as it lies there now. After any change of its code it must be trusted
    again.

    \b
    Example:
      weft packs trust sparkle
    """
    from backend.engine.packs import PackError
    from backend.engine.packs import trust as remember

    output = Output(json)
    pack = _find(name)
    if expected and not (len(expected) >= 16 and pack.hash.startswith(_full(expected))):
        raise Stop(
            f"The pack {name!r} has the hash {pack.hash}, not {expected}. It is not trusted.",
            FAILED,
        )
    if not (yes or expected):
        _ask(pack, output)
    try:
        remember(_data(), pack)
    except PackError as error:
        raise Stop(str(error), FAILED) from None
    output.line(f"The pack {pack.name!r} is trusted at {pack.hash}.")
    output.record({"event": "trusted", "name": pack.name, "hash": pack.hash})


@app.command("revoke")
def revoke_pack(name: Name, json: Json = False) -> None:
    """Let a pack run no more.

    \b
    Example:
      weft packs revoke sparkle
    """
    from backend.engine.packs import PackError
    from backend.engine.packs import revoke as forget

    output = Output(json)
    try:
        was = forget(_data(), name)
    except PackError as error:
        raise Stop(str(error), FAILED) from None
    if not was:
        raise wrong_usage(f"No pack {name!r} was trusted.{near(name, _held())}")
    output.line(f"The pack {name!r} runs no more.")
    output.record({"event": "revoked", "name": name})


def _ask(pack: Pack, output: Output) -> None:
    output.line(f"{pack.name} ({pack.kind}, {_size(pack)}) in {pack.root}")
    for name in sorted(pack.files):
        output.line(f"  {name}")
    tell("Its code will run as you, with all that you may do. Trust only what you have looked at.")
    if output.json or not sys.stdin.isatty():
        raise wrong_usage("Nobody is there to be asked; add --yes, or --hash with its hash.")
    if not typer.confirm("Trust it?", err=True):
        raise Stop("It is not trusted.", FAILED)


def _find(name: str) -> Pack:
    from backend.engine.packs import find_packs

    packs, problems = find_packs(_data())
    for pack in packs:
        if pack.name == name:
            return pack
    for problem in problems:
        tell(problem)
    hint = near(name, [pack.name for pack in packs])
    raise wrong_usage(f"There is no node pack {name!r}; packs lie in {_folder()}.{hint}")


def _held() -> dict[str, Trust]:
    from backend.engine.packs import PackError, read_trust

    try:
        return dict(read_trust(_data()))
    except PackError as error:
        raise Stop(str(error), FAILED) from None


def _state(pack: Pack, held: dict[str, Trust]) -> str:
    if pack.name not in held:
        return "not trusted"
    return "trusted" if held[pack.name].hash == pack.hash else "changed"


def _full(text: str) -> str:
    return text if text.startswith("blake3:") else "blake3:" + text


def _size(pack: Pack) -> str:
    return "1 file" if len(pack.files) == 1 else f"{len(pack.files)} files"


def _folder() -> str:
    return str(_data() / "packs")


def _data() -> Path:
    from backend.settings import data_folder

    return data_folder(user_settings())
