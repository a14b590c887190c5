"""``weft models``: what models are there, what each is, and getting more."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from backend.cli.errors import FAILED, Stop, near, wrong_usage
from backend.cli.streams import Output, tell

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Json = Annotated[
    bool, typer.Option("--json", help="One JSON object per line on standard output, nothing else.")
]
Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="A model as `weft models list` calls it, its path or its hash.",
        show_default=False,
    ),
]


@app.callback()
def models_root() -> None:
    """Find, explain, check and get models.

    \b
    Example:
      weft models list --family flux
    """


@app.command("scan")
def scan_models(json: Json = False) -> None:
    """Look through all models folders and keep what was found.

    Reads only headers; what has not changed since the last time is not opened. Exit status 0 even
    where some files cannot be used: `weft models list --broken` shows them.

    \b
    Example:
      weft models scan
    """
    output = Output(json)
    with _index() as index:
        _scan(index, output)


@app.command("list")
def list_models(
    kind: Annotated[
        str, typer.Option("--kind", metavar="KIND", help="Such as lora, vae or checkpoint.")
    ] = "",
    family: Annotated[
        str, typer.Option("--family", metavar="FAMILY", help="Such as flux or sdxl.")
    ] = "",
    broken: Annotated[
        bool, typer.Option("--broken", help="Only what cannot be used, and why.")
    ] = False,
    json: Json = False,
) -> None:
    """List the models that the last scan found.

    \b
    Example:
      weft models list --kind lora --family sdxl
    """
    from backend.catalog.identity import KINDS, Identity

    if kind and kind not in KINDS:
        raise wrong_usage(f"There is no kind {kind!r}; there are {', '.join(KINDS)}.")
    output = Output(json)
    count = 0
    with _index() as index:
        for entry in index.entries():
            found = entry.identity or Identity("")
            if (kind and found.kind != kind) or bool(entry.problem) != broken:
                continue
            if family and family not in (found.family, *found.families):
                continue
            count += 1
            output.record({"event": "model", **_plain(entry)})
            what = _safe(entry.problem) or (
                f"{KINDS.get(found.kind, found.kind):14} {found.family or '-':12} "
                f"{found.precision:8} {_size(entry.size):>9}"
            )
            called = _safe(entry.name)
            output.line(f"{called}\n  {what}" if broken else f"{what}  {called}")
    if not count:
        output.line("Nothing. `weft models add FOLDER` adds a folder, `weft models scan` scans.")


@app.command("info")
def model_info(name: Name, json: Json = False) -> None:
    """Say what one model is, where it lies and how it was told.

    \b
    Example:
      weft models info flux1-dev
    """
    output = Output(json)
    with _index() as index:
        entry = _one(index, name)
    output.record({"event": "model", **_plain(entry)})
    output.line(_safe(entry.name))
    output.line(_safe(entry.problem or (entry.identity.sentence if entry.identity else "")))
    for label, value in _facts(entry):
        output.line(f"  {label:11} {_safe(value)}")
    if entry.problem:
        raise typer.Exit(FAILED)


@app.command("add")
def add_folder(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            help="A folder of models, of ComfyUI or InvokeAI, or a Hugging Face cache.",
            show_default=False,
        ),
    ],
    remove: Annotated[
        bool, typer.Option("--remove", help="Leave the folder out again; its files stay.")
    ] = False,
    json: Json = False,
) -> None:
    """Add a folder to those that are scanned, and scan.

    Nothing is copied. The folder is kept in the settings file under [models] folders.

    \b
    Example:
      weft models add ~/ComfyUI
    """
    from backend.catalog.roots import read_folders, settings_file, write_folders

    path = Path(os.path.abspath(folder.expanduser()))
    with _sentences():
        folders = list(read_folders(settings_file()))
        if remove:
            if path not in folders:
                raise wrong_usage(f"{path} is not among the folders that were added.")
            folders.remove(path)
        elif not path.is_dir():
            raise wrong_usage(f"{path} is no folder. Name the folder that the model lies in.")
        elif path not in folders:
            folders.append(path)
        write_folders(settings_file(), folders)
    output = Output(json)
    output.record({"event": "folders", "folders": [str(each) for each in folders]})
    with _index() as index:
        _scan(index, output)


@app.command("verify")
def verify_models(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Models; all without one.", show_default=False),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also those whose hash is known already.")
    ] = False,
    json: Json = False,
) -> None:
    """Read models whole, keep their content hash, and compare it with the one of their source.

    Exit status 1 when a model is not what it was, or cannot be used.

    \b
    Example:
      weft models verify flux1-dev
    """
    output = Output(json)
    wrong = 0
    with _index() as index:
        chosen = [_one(index, name) for name in names] if names else list(index.entries())
        for entry in chosen:
            wrong += not _verified(index, entry, output, again=again or bool(names))
    if wrong:
        raise typer.Exit(FAILED)


@app.command("get")
def get_model(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="A URL, or hf:ORG/REPO[/FILE][@REVISION].", show_default=False
        ),
    ],
    sha256: Annotated[
        str, typer.Option("--sha256", metavar="HEX", help="Refuse a file that has another one.")
    ] = "",
    into: Annotated[
        Path | None,
        typer.Option(
            "--into", metavar="DIR", help="Where to put it.", show_default="Weft's own folder"
        ),
    ] = None,
    name: Annotated[
        str, typer.Option("--name", metavar="FILE", help="What to call a single file.")
    ] = "",
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="PATTERN",
            help="Of a repository, get only files like this. May be repeated.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Download a model: safetensors, GGUF, or a whole repository of these with its configs.

    Goes on where an earlier try stopped. HF_TOKEN is sent to the hub, and only there; HF_ENDPOINT
    names another hub. Pickles are refused.

    \b
    Example:
      weft models get hf:black-forest-labs/FLUX.1-schnell/ae.safetensors
      weft models get hf:stabilityai/sdxl-turbo --only "unet/*.fp16.safetensors"
    """
    from backend.catalog.fetch import Fetcher
    from backend.catalog.hub import wanted
    from backend.catalog.roots import own_folder
    from backend.catalog.web import Hub

    output = Output(json)
    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"
    hub = Hub(endpoint, os.environ.get("HF_TOKEN", "").strip())
    home = own_folder() if into is None else into.absolute()
    with _sentences():
        files = wanted(source, hub, name=name, only=tuple(only or ()))
        if len(files) > 1 and (sha256 or name):
            raise wrong_usage("--sha256 and --name are for a single file; name one in SOURCE.")
        for file in files:
            target = home / file.path
            if len(files) > 1 and target.exists():
                tell(f"{file.path} is there already.")
                continue
            with _progress(file.path.name, json=json) as progress:
                got = Fetcher(hub, progress).fetch(file.url, target, sha256)
            output.record({"event": "got", "path": str(target), "sha256": got})
            output.line(str(target))
    if into is None:
        with _index() as index:
            _scan(index, output)


def _scan(index: Any, output: Output) -> None:
    from backend.catalog.identify import shipped_knowledge
    from backend.catalog.roots import default_roots
    from backend.catalog.scan import scan

    with _sentences():
        roots = default_roots()
        done = scan(roots, index, shipped_knowledge())
    for trouble in done.troubles:
        tell(_safe(trouble))
    output.record(
        {
            "event": "scanned", "new": done.new, "same": done.same, "gone": done.gone,
            "broken": done.broken, "seconds": round(done.seconds, 3),
            "folders": [str(root.path) for root in roots],
        }
    )  # fmt: skip
    for root in roots:
        output.line(str(root.path))
    broken = f", {done.broken} of them cannot be used" if done.broken else ""
    output.line(
        f"Models: {done.new + done.same}{broken}; {done.new} new or changed, {done.gone} gone, "
        f"in {done.seconds:.1f} s."
    )


def _verified(index: Any, entry: Any, output: Output, *, again: bool) -> bool:
    """Hash one model, keep the hash and say how it stands; whether it is as it should be."""
    from backend.catalog.errors import CatalogError
    from backend.catalog.scan import content_of

    content, verdict = entry.content, "known"
    if entry.problem:
        verdict = entry.problem
    elif again or not content:
        try:
            with _progress(entry.name, entry.size, json=output.json) as progress:
                content, sha256 = content_of(entry, _added(progress))
        except CatalogError as error:  # the other models are still to be looked at
            return _told(entry, output, content, str(error), good=False)
        damage = ""
        if entry.content and content != entry.content:
            damage = "not what it was when it was last verified, though size and time are the same"
        elif entry.sha256 and sha256 and sha256 != entry.sha256:
            damage = "not what its source says"
        if damage:
            index.keep_problem(entry, f"{entry.path} is {damage}. Get it again.")
            verdict = damage
        elif not index.keep_hash(entry, content=content):
            verdict = "changed since the last scan; scan again"
        else:
            verdict = "as its source says" if entry.sha256 and sha256 else "read whole"
    good = verdict in ("known", "as its source says", "read whole")
    return _told(entry, output, content, verdict, good=good)


def _told(entry: Any, output: Output, content: str, verdict: str, *, good: bool) -> bool:
    told = {"content": content, "good": good, "verdict": verdict}
    output.record({"event": "verified", "name": entry.name, **told})
    output.line(f"{'ok' if good else '!!'} {_safe(entry.name)}: {_safe(verdict)}")
    return good


def _one(index: Any, name: str) -> Any:
    """The one model that a name means.

    Raises:
        Stop: there is none, or several.
    """
    from backend.catalog.scan import find

    found = find(index, name)
    if not found:
        known = [entry.name for entry in index.entries()]
        short = {Path(each).name.rsplit(".", 1)[0]: each for each in known}
        hint = near(name, [*known, *short]) or " `weft models list` lists what the last scan found."
        raise wrong_usage(f"There is no model {name!r}.{hint}")
    if len(found) > 1:
        raise wrong_usage(
            f"{name!r} means {len(found)} models: {', '.join(e.name for e in found[:5])}. "
            "Name one of them whole, or by its path."
        )
    return found[0]


def _plain(entry: Any) -> dict[str, Any]:
    from backend.catalog.identity import to_plain

    return {
        "name": entry.name, "path": str(entry.path), "size": entry.size,
        "files": list(entry.files), "fast": entry.fast, "content": entry.content,
        "sha256": entry.sha256, "problem": entry.problem,
        "identity": to_plain(entry.identity) if entry.identity else None,
    }  # fmt: skip


def _facts(entry: Any) -> Iterator[tuple[str, str]]:
    found = entry.identity
    if found is not None:
        families = ", ".join(found.families)
        yield "family", found.family or (f"one of {families}" if families else "unknown")
        yield "precision", found.precision or "-"
        yield "parameters", f"{found.parameters:,}"
        for space, value in found.spaces.items():
            yield f"{space} space", value
        for part in found.parts:
            prefix = f" under {part.prefix}" if part.prefix else ""
            yield "part", f"{part.part}: {part.pack}, {part.form} names{prefix}"
    yield "size", _size(entry.size)
    yield "path", str(entry.path)
    yield "hash", entry.content or entry.fast or "-"


def _safe(text: str) -> str:
    """What stands in names and files, without what a terminal would obey."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def _size(count: int) -> str:
    return f"{count / 2**30:.2f} GB" if count >= 2**28 else f"{count / 2**20:.1f} MB"


@contextmanager
def _index() -> Iterator[Any]:
    from backend.catalog.index import opened
    from backend.catalog.roots import index_file

    with _sentences(), opened(index_file()) as index:
        yield index


@contextmanager
def _sentences() -> Iterator[None]:
    """What the catalogue cannot do ends the command with its sentence."""
    from backend.catalog.errors import CatalogError

    try:
        yield
    except CatalogError as error:
        raise Stop(_safe(str(error)), FAILED) from None


def _added(progress: Callable[[int, int], None]) -> Callable[[int], None]:
    """The same progress for who tells only what came since."""
    done = 0

    def more(count: int) -> None:
        nonlocal done
        done += count
        progress(done, 0)

    return more


@contextmanager
def _progress(name: str, total: int = 0, *, json: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal; nothing elsewhere."""
    if json or not sys.stderr.isatty():
        yield lambda done, of: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns: Sequence[Any] = (
        TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(),
        TransferSpeedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(name, total=total or None)
        yield lambda done, of: bars.update(task, completed=done, total=of or total or None)
