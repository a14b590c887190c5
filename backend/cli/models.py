"""``weft models``: what models are there, what each is, and getting more."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from backend.cli.catalogue import (
    facts,
    one_model,
    opened_index,
    plain,
    progress_bar,
    safe,
    scan_all,
    sentences,
    size,
    verify_one,
)
from backend.cli.errors import FAILED, wrong_usage
from backend.cli.options import Json
from backend.cli.streams import Output, tell

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

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
    with opened_index() as index:
        scan_all(index, output)


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
    with opened_index() as index:
        for entry in index.entries():
            found = entry.identity or Identity("")
            if (kind and found.kind != kind) or bool(entry.problem) != broken:
                continue
            if family and family not in (found.family, *found.families):
                continue
            count += 1
            output.record({"event": "model", **plain(entry)})
            what = safe(entry.problem) or (
                f"{KINDS.get(found.kind, found.kind):14} {found.family or '-':12} "
                f"{found.precision:8} {size(entry.size):>9}"
            )
            called = safe(entry.name)
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
    with opened_index() as index:
        entry = one_model(index, name)
    output.record({"event": "model", **plain(entry)})
    output.line(safe(entry.name))
    output.line(safe(entry.problem or (entry.identity.sentence if entry.identity else "")))
    for label, value in facts(entry):
        output.line(f"  {label:11} {safe(value)}")
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
    from backend.catalog.roots import read_folders, write_folders
    from backend.settings import expanded, settings_file

    path = Path(os.path.abspath(expanded(folder)))
    with sentences():
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
    with opened_index() as index:
        scan_all(index, output)


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
    with opened_index() as index:
        chosen = [one_model(index, name) for name in names] if names else list(index.entries())
        for entry in chosen:
            wrong += not verify_one(index, entry, output, again=again or bool(names))
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
    with sentences():
        files = wanted(source, hub, name=name, only=tuple(only or ()))
        if len(files) > 1 and (sha256 or name):
            raise wrong_usage("--sha256 and --name are for a single file; name one in SOURCE.")
        for file in files:
            target = home / file.path
            if len(files) > 1 and target.exists():
                tell(f"{file.path} is there already.")
                continue
            with progress_bar(file.path.name, json=json) as progress:
                got = Fetcher(hub, progress).fetch(file.url, target, sha256)
            output.record({"event": "got", "path": str(target), "sha256": got})
            output.line(str(target))
    if into is None:
        with opened_index() as index:
            scan_all(index, output)
