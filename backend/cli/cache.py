"""``weft cache``: what is kept on disk, emptying it, and looking whether it is sound."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from backend.cli.errors import FAILED, Stop
from backend.cli.options import Json
from backend.cli.places import user_settings
from backend.cli.streams import Output, tell

if TYPE_CHECKING:
    from backend.engine.disk import DiskCache

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def cache_root() -> None:
    """Results that are kept on disk, so that nothing costly is computed twice.

    \b
    Example:
      weft cache info
    """


@app.command()
def info(json: Json = False) -> None:
    """Show where results are kept, how many, and how much they take.

    \b
    Example:
      weft cache info
    """
    output = Output(json)
    with _opened() as cache:
        held = cache.info()
    output.line(f"folder      {cache.root}")
    output.line(f"results     {held.entries}, and the digests of {held.remembered} more")
    output.line(f"size        {_size(held.nbytes)} of {_size(cache.budget)}")
    output.line(f"kept        what took {cache.costly:g} seconds, or wrote files")
    output.record(
        {
            "event": "cache",
            "folder": str(cache.root),
            "results": held.entries,
            "remembered": held.remembered,
            "bytes": held.nbytes,
            "budget": cache.budget,
            "costly": cache.costly,
        }
    )


@app.command()
def clear(json: Json = False) -> None:
    """Remove every result that is kept on disk; outputs stay.

    Programs that are running go on: what they still want they compute again.

    \b
    Example:
      weft cache clear
    """
    output = Output(json)
    with _opened() as cache:
        held = cache.clear()
    output.line(f"Removed {held.entries} results of {_size(held.nbytes)}.")
    output.record({"event": "cleared", "results": held.entries, "bytes": held.nbytes})


@app.command()
def verify(json: Json = False) -> None:
    """Read every result that is kept on disk, and remove what is damaged.

    Exit status 1 where something was. What is removed is computed again when it is wanted.

    \b
    Example:
      weft cache verify
    """
    output = Output(json)
    with _opened() as cache:
        found = cache.verify()
    output.line(
        f"{found.sound} results are sound; removed {found.broken} damaged ones and "
        f"{found.orphans} files that belonged to none."
    )
    output.record(
        {
            "event": "verified",
            "sound": found.sound,
            "broken": found.broken,
            "orphans": found.orphans,
        }
    )
    raise typer.Exit(FAILED if found.broken else 0)


@contextmanager
def _opened() -> Iterator[DiskCache]:
    """The cache that the settings name.

    Raises:
        Stop: it cannot be read or written to.
    """
    from backend.engine.disk import RESULTS, DiskCache
    from backend.engine.disk.troubles import reason
    from backend.settings import cache_folder

    settings = user_settings()
    root = cache_folder(settings) / RESULTS
    cache = DiskCache(root, settings.cache.disk, settings.cache.costly)
    try:
        yield cache
    except (OSError, sqlite3.Error) as error:
        raise Stop(f"The cache folder {root} cannot be used: {reason(error)}.", FAILED) from None
    finally:
        cache.close()
        for sentence in cache.troubles():
            tell(sentence)


def _size(count: int) -> str:
    """Bytes for people."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.3g} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
