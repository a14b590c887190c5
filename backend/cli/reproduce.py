"""``weft reproduce``: make a file again from what it carries, and compare."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.cli.check import show_diagnostics
from backend.cli.errors import CANCELLED, DONE, FAILED, INVALID, Stop, wrong_usage
from backend.cli.flow import Flow, open_flow
from backend.cli.pictures import embedded, is_output
from backend.cli.places import user_settings
from backend.cli.run import check_output, choose_device
from backend.cli.streams import Output, plain, tell

if TYPE_CHECKING:
    from backend.engine.engine import RunResult
    from backend.engine.events import Event
    from backend.engine.likeness import Likeness
    from backend.engine.reproduce import Difference, Place

CLOSE, DIFFERENT = 4, 5
"""Exit statuses beside those of every command."""
MOST = 100
"""Differences that are told; a hostile file may make up any number."""


def reproduce(
    name: str, out: Path | None, device: str | None, allowed: Sequence[Path], *, json: bool
) -> int:
    """Run the workflow that a file carries once more, up to the node that saved it, and say how
    like the new file is and what is not as it was. Returns the exit status.

    What a file carries may read no more than a workflow file in its place: its own folder, and
    ``allowed``. Without ``out`` the new file is not kept.

    Raises:
        Stop: it is no output of Weft, or cannot be made again.
    """
    from backend.engine.reproduce import place_of, with_files
    from backend.sdk import UserError

    path = Path(name)
    if not path.exists():
        raise wrong_usage(f"{name} does not exist.")
    if not is_output(path):
        known = "a picture, a sound, a safetensors file or a text that Weft saved"
        raise wrong_usage(f"{name} is no file that can be made again; name {known}.")
    then = embedded(path, INVALID)
    try:
        place = place_of(then)
    except UserError as error:
        raise Stop(str(error), INVALID, place=name) from None
    flow = open_flow(name, allowed)
    base, specs = flow.grants.base, flow.registry.specs
    roots = [root.absolute() for root in allowed]
    flow = replace(flow, workflow=with_files(flow.workflow, specs, base, roots))
    output = Output(json)
    with tempfile.TemporaryDirectory(prefix="weft-") as temporary:
        root = out or Path(temporary)
        check_output(root)
        result = _run(flow, place, root, device, output, kept=out is not None)
        return _told(path, then, place, root, result, output, kept=out is not None)


def _run(
    flow: Flow, place: Place, root: Path, device: str | None, output: Output, *, kept: bool
) -> RunResult:
    """Run what the node that saved the file needs; nothing comes from a cache."""
    from backend.cli.report import report_for
    from backend.cli.signals import stopping
    from backend.engine.cancel import Cancel
    from backend.engine.engine import Engine
    from backend.engine.events import SavedFile
    from backend.media.outputs import OutputFolder

    settings = user_settings()
    where = choose_device(device or settings.run.device, flow.workflow, flow.registry.specs)
    if place.node.partition("/")[0] not in flow.workflow.graph.nodes:
        raise Stop(f"It says that {place.node!r} saved it, and has no such node.", INVALID)
    engine = Engine(
        flow.registry,
        grants=flow.grants,
        output=OutputFolder(root),
        use_cache=False,
        device=where,
        threads=settings.run.threads or None,
    )
    cancel = Cancel()
    report = report_for(json=output.json, out=root, gone=cancel)
    stops: list[Stop] = []

    def show(event: Event) -> None:
        if stops or (isinstance(event, SavedFile) and not kept):
            return
        try:
            report.event(event)
        except Stop as stop:  # nobody can read the rest: end cleanly, then say why
            stops.append(stop)
            cancel()

    try:
        with stopping(cancel):
            result = engine.run(flow.workflow, only=[place.node], on_event=show, cancel=cancel)
    finally:
        report.close()
        engine.close()
    if stops:
        raise stops[0]
    return result


def _told(
    path: Path,
    then: dict[str, Any],
    place: Place,
    root: Path,
    result: RunResult,
    output: Output,
    *,
    kept: bool,
) -> int:
    """Compare, and say all of it."""
    from backend.engine.likeness import compare
    from backend.engine.reproduce import differences, made_again
    from backend.media.apart import Decoder
    from backend.media.metadata import read_provenance
    from backend.sdk import UserError

    if result.status == "invalid":
        show_diagnostics(output, [each for each in result.diagnostics if each.level == "error"])
        tell("The workflow has errors here; nothing was run.")
        return INVALID
    if result.status == "cancelled":
        return CANCELLED
    decoder = Decoder()
    try:
        again = made_again(place, root, result.saved)
        if again is None:
            now = _environment()
            _show(output, differences({k: then.get(k) for k in now}, now), "Versions")
            raise Stop(f"{path} was not made again: {_missing(result, then)}", FAILED)
        likeness = compare(path, again, decoder, lambda: None)
        _verdict(output, path, again if kept else None, likeness)
        _show(output, differences(then, read_provenance(again) or {}))
    except UserError as error:
        raise Stop(str(error), FAILED) from None
    finally:
        decoder.close()
    return {"identical": DONE, "close": CLOSE, "different": DIFFERENT}[likeness.verdict]


def _environment() -> dict[str, Any]:
    """What can be told of this machine without a file that was made on it."""
    from backend.engine.numerics import versions

    return {"versions": versions()}


def _missing(result: RunResult, then: Mapping[str, Any]) -> str:
    if result.status == "failed":
        hint = "If what it read lies in another folder, name that: --allow-read FOLDER."
        return f"a node failed. {hint}" if then.get("files") else "a node failed."
    return "the node saved no file in that place. The nodes here may be others than those then."


def _verdict(output: Output, path: Path, again: Path | None, likeness: Likeness) -> None:
    words = {
        "identical": f"{path} is identical: every value is the same.",
        "close": f"{path} is close: it differs by very little.",
        "different": f"{path} is different.",
    }
    said = words[likeness.verdict]
    if likeness.reason:
        said = f"{said[:-1]}: {plain(likeness.reason)}."
    if likeness.psnr is not None:
        said += f" PSNR {likeness.psnr:.1f} dB, largest difference {likeness.largest:.3g}."
    output.line(said)
    output.record(
        {
            "event": "reproduced",
            "file": str(path),
            "again": str(again) if again else None,
            "verdict": likeness.verdict,
            "psnr": likeness.psnr,
            "largest": likeness.largest,
            "reason": likeness.reason,
        }
    )


def _show(
    output: Output,
    found: Sequence[Difference],
    looked_at: str = "Versions, device, threads, models and files",
) -> None:
    if found:
        output.line("\nNot as it was:")
    for each in found[:MOST]:
        then, now = each.then or "nothing", each.now or "nothing"
        output.line(f"  {plain(each.what)}: {plain(then)} then, {plain(now)} now")
        output.record(
            {"event": "difference", "what": each.what, "then": each.then, "now": each.now}
        )
    if len(found) > MOST:
        output.line(f"  and {len(found) - MOST} more")
    if not found:
        output.line(f"{looked_at} are as they were.")
