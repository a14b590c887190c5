"""What a node says of its state: icon, words, thread, outline. Colour only repeats the words."""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.canvas.parts import NodeView
from app.labels import duration, size
from app.run.state import NodeRun
from app.theme.colours import Colours, mix
from app.theme.types import category_look
from app.words import tr


@dataclass(frozen=True, slots=True)
class Marks:
    """How a state is shown on a node."""

    ground: str
    header: str
    outline: str
    left_colour: str
    icon: str = ""
    icon_colour: str = ""
    badge: str = ""
    left: str = ""
    right: str = ""
    outline_width: float = 1.0
    dashed: bool = False
    thread: str = ""
    has_thread: bool = True
    thread_dashed: bool = False
    progress: float | None = None
    dim: bool = False
    passes: bool = False


def marks_of(view: NodeView, colours: Colours, known: bool = True) -> Marks:
    """What a node shows of its state. While node types are not ``known`` none is missing."""
    hue = category_look(view.hue_type).hue(colours)
    tint = 0.13 if colours.dark else 0.14
    ground = colours.raised
    plain = Marks(ground, mix(ground, hue, tint), colours.edge, colours.weak)
    if view.spec is None and not known:
        return replace(plain, left=tr("Node types are being read"), dim=True)
    if view.spec is None:
        return replace(
            plain, header=colours.dangerfill, outline=colours.danger, outline_width=1.5,
            dashed=True, has_thread=False, icon="puzzle", icon_colour=colours.danger,
            left=tr("Not installed"), left_colour=colours.danger, right=view.node.type,
        )  # fmt: skip
    if view.node.mode != "on":
        pale = mix(ground, colours.canvas, 0.5)
        muted = view.node.mode == "mute"
        return replace(
            plain, ground=pale, header=pale, dim=True, passes=not muted,
            icon="eye-off" if muted else "skip-forward", icon_colour=colours.weak,
            left=tr("Muted") if muted else tr("Bypassed"),
            right=tr("gives nothing") if muted else tr("the input passes"),
        )  # fmt: skip
    return _run_marks(view, plain, colours)


def _run_marks(view: NodeView, plain: Marks, colours: Colours) -> Marks:
    run, weak = view.run, colours.weak
    if run.status == "queued":
        return replace(
            plain, icon="clock", icon_colour=weak, left=tr("Queued"), right=_usual(run),
            thread_dashed=True,
        )  # fmt: skip
    if run.status == "running":
        figure = f"{run.done:.0f} / {run.total:.0f}" if run.total > 1 else ""
        left = tr("{time} left", time=duration(run.left)) if run.left is not None else tr("Running")
        turn = tr("Round {n}", n=" · ".join(map(str, run.turns))) if run.turns else ""
        return replace(
            plain, icon="loader", icon_colour=colours.accent, badge=figure, left=left,
            left_colour=colours.accent, right=turn or _peak(run), progress=run.share,
        )  # fmt: skip
    if run.status in ("done", "degraded"):
        return replace(
            plain, icon="check" if run.status == "done" else "info", icon_colour=colours.success,
            left=run.note if run.status == "degraded" and run.note else duration(run.seconds),
            right=duration(run.seconds) if run.status == "degraded" and run.note else _peak(run),
        )  # fmt: skip
    if run.status == "cached":
        saved = tr("saved {time}", time=duration(run.seconds)) if run.seconds >= 0.01 else ""
        return replace(plain, icon="zap", icon_colour=weak, left=tr("From cache"), right=saved)
    if run.status == "failed":
        after = (
            tr("Failed after {time}", time=duration(run.seconds)) if run.seconds else tr("Failed")
        )
        return replace(
            plain, icon="circle-alert", icon_colour=colours.danger, left=after,
            left_colour=colours.danger, right=tr("Show"), outline=colours.danger,
            outline_width=1.5, thread=colours.danger,
        )  # fmt: skip
    if run.status == "skipped":
        return replace(
            plain, icon="minus", icon_colour=weak, left=tr("Not run: one before it failed")
        )
    return replace(plain, left=tr("Not run yet"), right=_usual(run))


def _peak(run: NodeRun) -> str:
    """The most memory that was seen while it ran, where that is known."""
    return size(run.peak) if run.peak else ""


def _usual(run: NodeRun) -> str:
    """How long a node like it took before, where that is known."""
    return f"≈ {duration(run.usual)}" if run.usual is not None else ""
