"""Frames behind nodes, and notes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from app.document.edits.common import EditError
from app.document.edits.place import move_nodes
from app.document.level import layout_of, put_layout
from backend.graph.document import Frame, Layout, Note, Workflow

PADDING, HEAD = 16.0, 32.0
SMALLEST = 64.0
"""How small a frame or note may be made, in canvas units."""


class Box(NamedTuple):
    """A rectangle on the canvas, in canvas units."""

    x: float
    y: float
    width: float
    height: float

    def holds(self, other: Box) -> bool:
        """Whether another lies wholly in it."""
        return (
            self.x <= other.x
            and self.y <= other.y
            and other.x + other.width <= self.x + self.width
            and other.y + other.height <= self.y + self.height
        )


def around(boxes: Iterable[Box]) -> Box:
    """The frame around boxes, with room for its title.

    Raises:
        EditError: there are none.
    """
    found = list(boxes)
    if not found:
        raise EditError("Nothing is selected. Select the nodes that the frame goes around.")
    left, top = min(b.x for b in found), min(b.y for b in found)
    right, bottom = max(b.x + b.width for b in found), max(b.y + b.height for b in found)
    return Box(
        left - PADDING,
        top - HEAD,
        right - left + 2 * PADDING,
        bottom - top + HEAD + PADDING,
    )


def add_frame(
    workflow: Workflow, level: str, box: Box, title: str = "Frame", color: str = ""
) -> Workflow:
    """Put a frame on the canvas, behind those that are there; it is the last of the layout."""
    layout = layout_of(workflow, level)
    frames = (*layout.frames, Frame(title, *box, color))
    return put_layout(workflow, level, replace(layout, frames=frames))


def change_frame(
    workflow: Workflow,
    level: str,
    number: int,
    title: str | None = None,
    color: str | None = None,
    box: Box | None = None,
) -> Workflow:
    """Give a frame another title, colour or place.

    Raises:
        IndexError: there is no such frame.
    """
    layout = layout_of(workflow, level)
    frame = layout.frames[number]
    if box is not None:
        box = Box(box.x, box.y, max(box.width, SMALLEST), max(box.height, SMALLEST))
        frame = replace(frame, x=box.x, y=box.y, width=box.width, height=box.height)
    frame = replace(
        frame,
        title=frame.title if title is None else title,
        color=frame.color if color is None else color,
    )
    frames = (*layout.frames[:number], frame, *layout.frames[number + 1 :])
    return put_layout(workflow, level, replace(layout, frames=frames))


def move_frame(
    workflow: Workflow,
    level: str,
    number: int,
    dx: float,
    dy: float,
    boxes: Mapping[str, Box] | None = None,
) -> Workflow:
    """Move a frame by canvas units, with the nodes, notes and frames that lie wholly in it.

    Without ``boxes``, the rectangles of the nodes by path, it moves alone.

    Raises:
        IndexError: there is no such frame.
    """
    layout = layout_of(workflow, level)
    here = box_of(layout.frames[number])
    if boxes is not None:
        inside = [path for path, box in boxes.items() if here.holds(box)]
        workflow = move_nodes(workflow, level, inside, dx, dy)
        layout = layout_of(workflow, level)
    frames = tuple(
        replace(frame, x=frame.x + dx, y=frame.y + dy)
        if i == number or (boxes is not None and here.holds(box_of(frame)))
        else frame
        for i, frame in enumerate(layout.frames)
    )
    notes = tuple(
        replace(note, x=note.x + dx, y=note.y + dy)
        if boxes is not None and here.holds(box_of(note))
        else note
        for note in layout.notes
    )
    return put_layout(workflow, level, replace(layout, frames=frames, notes=notes))


def remove_frames(workflow: Workflow, level: str, numbers: Collection[int]) -> Workflow:
    """Take frames away; what lies in them stays."""
    layout = layout_of(workflow, level)
    kept = tuple(frame for i, frame in enumerate(layout.frames) if i not in numbers)
    return put_layout(workflow, level, replace(layout, frames=kept))


def add_note(
    workflow: Workflow, level: str, text: str, at: tuple[float, float], width: float = 240.0
) -> Workflow:
    """Put a note on the canvas; it is the last of the layout."""
    layout = layout_of(workflow, level)
    notes = (*layout.notes, Note(text, float(at[0]), float(at[1]), width))
    return put_layout(workflow, level, replace(layout, notes=notes))


def change_note(
    workflow: Workflow, level: str, number: int, text: str | None = None, box: Box | None = None
) -> Workflow:
    """Give a note another text or place.

    Raises:
        IndexError: there is no such note.
    """
    layout = layout_of(workflow, level)
    note = layout.notes[number]
    if box is not None:
        width, height = max(box.width, SMALLEST), max(box.height, SMALLEST)
        note = replace(note, x=box.x, y=box.y, width=width, height=height)
    note = replace(note, text=note.text if text is None else text)
    notes = (*layout.notes[:number], note, *layout.notes[number + 1 :])
    return put_layout(workflow, level, replace(layout, notes=notes))


def remove_notes(workflow: Workflow, level: str, numbers: Collection[int]) -> Workflow:
    """Take notes away."""
    layout = layout_of(workflow, level)
    kept = tuple(note for i, note in enumerate(layout.notes) if i not in numbers)
    return put_layout(workflow, level, replace(layout, notes=kept))


def box_of(thing: Frame | Note) -> Box:
    """The rectangle of a frame or note."""
    return Box(thing.x, thing.y, thing.width, thing.height)


def frame_at(layout: Layout, x: float, y: float) -> int | None:
    """The smallest frame over a place, or ``None``."""
    found = [
        (frame.width * frame.height, i)
        for i, frame in enumerate(layout.frames)
        if box_of(frame).holds(Box(x, y, 0, 0))
    ]
    return min(found)[1] if found else None
