"""The command line as a whole: every command, its options and its help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backend.cli.batch import batch
from backend.cli.cache import app as cache
from backend.cli.history import app as history
from backend.cli.models import app as models
from backend.cli.options import Allow, Device, Flow, HostMemory, Json, Memory, Only, Out, Sets
from backend.cli.packs import app as packs
from backend.cli.queue import app as queue
from backend.cli.settings import app as settings_app
from backend.cli.train import app as train

app = typer.Typer(
    name="weft",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
new = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(new, name="new")
app.add_typer(cache, name="cache")
app.add_typer(models, name="models")
app.add_typer(packs, name="packs")
app.add_typer(queue, name="queue")
app.add_typer(history, name="history")
app.add_typer(train, name="train")
app.add_typer(settings_app, name="settings")


def _version(wanted: bool) -> None:
    if wanted:
        from backend.cli.places import weft_version

        typer.echo(f"weft {weft_version() or 'of a folder that was not installed'}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    _version_wanted: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Run graphs of diffusion models from workflow files (NAME.weft.json).

    Without a command it opens the studio.

    \b
    Example:
      weft run text-to-image
    """
    if context.invoked_subcommand is None:
        studio()


@app.command()
def studio(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]...", help="Workflows, or pictures that carry one."),
    ] = None,
) -> None:
    """Open the studio, the window in which graphs are built.

    \b
    Example:
      weft studio portrait.weft.json
    """
    from backend.cli.studio import open_studio

    raise typer.Exit(open_studio(files or ()))


@new.callback()
def new_root() -> None:
    """Write files to start from.

    \b
    Example:
      weft new node soft_glow
    """


@app.command()
def run(
    flow: Flow,
    sets: Sets = None,
    out: Out = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            metavar="N",
            min=0,
            max=2**63 - 1,
            help="Use this seed for every seed parameter that no link feeds.",
            show_default=False,
        ),
    ] = None,
    device: Device = None,
    memory: Memory = None,
    host_memory: HostMemory = None,
    only: Only = None,
    allow_read: Allow = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Keep no results: compute every node again.")
    ] = False,
    isolated: Annotated[
        bool | None,
        typer.Option(
            "--isolated/--in-process",
            help="Compute in a process of its own, so that a node cannot take this one along.",
            show_default="the setting run.isolated",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Run a workflow and write its outputs.

    Exit status: 0 done, 1 a node failed, 2 wrong usage, 3 the workflow has errors, 130 cancelled.
    Ctrl-C cancels and finishes cleanly; a second Ctrl-C leaves at once.

    \b
    Example:
      weft run text-to-image --set prompt="a red circle left of a blue square" --seed 7
    """
    from backend.cli.places import user_settings
    from backend.cli.run import Wish, run_flow

    flags = {
        "run.device": device,
        "run.memory": memory,
        "run.host_memory": host_memory,
        "run.isolated": isolated,
        "folders.output": None if out is None else str(out),
    }
    settings = user_settings(flags)
    wish = Wish.of(
        settings,
        sets=tuple(sets or ()),
        seed=seed,
        only=tuple(only or ()),
        cache=not no_cache,
    )
    raise typer.Exit(run_flow(flow, wish, tuple(allow_read or ()), json=json))


app.command()(batch)


@app.command()
def check(flow: Flow, allow_read: Allow = None, json: Json = False) -> None:
    """Check a workflow without running it.

    Exit status 3 when it has errors.

    \b
    Example:
      weft check my-flow.weft.json
    """
    from backend.cli.check import check_flow

    raise typer.Exit(check_flow(flow, tuple(allow_read or ()), json=json))


@app.command()
def plan(
    flow: Flow,
    memory: Memory = None,
    host_memory: Annotated[
        str | None,
        typer.Option(
            "--host-memory",
            metavar="SIZE",
            help="Host memory for weights on their way, and for results.",
            show_default="the setting run.host_memory, or half of this machine's",
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            metavar="auto|cpu|cuda:N",
            help="Where models would compute; with --memory it need not be there.",
            show_default="the setting run.device",
        ),
    ] = None,
    allow_read: Allow = None,
    json: Json = False,
) -> None:
    """Show which steps a run would take, and in which order, and what it would do with the memory.

    For each step that uses models: what it loads, lets go of and computes in. Then whether all of
    it fits, and if it does not what would make it fit. Nothing is run or loaded.

    \b
    Example:
      weft plan text-to-image --memory 8GiB --host-memory 16GiB
    """
    from backend.cli.plan import Machine, plan_flow

    machine = Machine(memory, host_memory, device)
    raise typer.Exit(plan_flow(flow, tuple(allow_read or ()), machine, json=json))


@app.command()
def nodes(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="One node type.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """List the node types, or explain one.

    \b
    Example:
      weft nodes resize
    """
    from backend.cli.nodes import show_nodes

    show_nodes(name, json=json)


@app.command()
def schema() -> None:
    """Print the JSON Schema of workflow files.

    \b
    Example:
      weft schema > weft.schema.json
    """
    from backend.cli.schema import show_schema

    show_schema()


@app.command()
def info(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A workflow or an output.", show_default=False)
    ],
    workflow: Annotated[
        bool, typer.Option("--workflow", help="Print only the workflow that made the file.")
    ] = False,
    json: Json = False,
) -> None:
    """Summarise a workflow, or say how an output was made.

    An output of Weft carries its prompt, seeds, versions, models and whole workflow.

    \b
    Example:
      weft info output/picture-0001.png
      weft info output/picture-0001.png --workflow > again.weft.json
    """
    from backend.cli.info import show_info

    show_info(file, workflow=workflow, json=json)


@app.command()
def reproduce(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="A picture, sound, safetensors file or text that Weft saved.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Keep the new file there.", show_default=False),
    ] = None,
    device: Device = None,
    allow_read: Allow = None,
    json: Json = False,
) -> None:
    """Make a file again from the workflow that it carries, and compare.

    Says whether the new file is identical, close (with PSNR and the largest difference) or
    different, and which versions, devices, threads, models and files are not as they were. What
    the file carries may read its own folder and what --allow-read names, like a workflow there.

    Exit status: 0 identical, 4 close, 5 different, 1 a node failed, 2 wrong usage, 3 the file
    carries no workflow or one with errors, 130 cancelled.

    \b
    Example:
      weft reproduce output/picture-0001.png
    """
    from backend.cli.reproduce import reproduce as make_again

    raise typer.Exit(make_again(file, out, device, tuple(allow_read or ()), json=json))


@app.command()
def doctor(
    bundle: Annotated[
        Path | None,
        typer.Option(
            "--bundle",
            metavar="FILE.zip",
            help="Pack what a bug report needs, without prompts and paths.",
            show_default=False,
        ),
    ] = None,
    with_paths: Annotated[
        bool, typer.Option("--with-paths", help="Leave paths in the bundle.")
    ] = False,
    with_prompts: Annotated[
        bool, typer.Option("--with-prompts", help="Leave prompts and messages in the bundle.")
    ] = False,
    json: Json = False,
) -> None:
    """Show versions, devices, folders and what is missing.

    Exit status 1 when something is missing.

    \b
    Example:
      weft doctor
      weft doctor --bundle report.zip
    """
    from backend.cli.doctor import examine

    raise typer.Exit(examine(bundle, paths=with_paths, prompts=with_prompts, json=json))


@new.command("node")
def new_node(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="Like soft_glow.", show_default=False),
    ],
    into: Annotated[
        Path | None,
        typer.Option(
            "--into",
            metavar="DIR",
            help="The folder that has or gets nodes/ and tests/.",
            show_default="the source tree of Weft, or the current folder",
        ),
    ] = None,
) -> None:
    """Write nodes/NAME.py and tests/nodes/test_NAME.py to start from.

    \b
    Example:
      weft new node soft_glow
    """
    from backend.cli.new_node import write_node

    write_node(name, into)
