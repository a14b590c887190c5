"""What a language model is asked for in JSON: boxes for a layout, panels for a set of pictures.

The planner of panels follows ChatDiT (arXiv:2412.12571): a language model counts the pictures that
are given and wanted, describes each, and writes a caption of them all together, by which one
canvas of panels is made.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from backend.diffusion.errors import DiffusionError

MOST_PANELS: Final = 9
MOST_BOXES: Final = 20
CAPTION: Final = 400
"""Characters of the caption of one panel, at most; twice that of the joint one."""

BOXES_SYSTEM: Final = (
    "You lay out pictures. For every object of the caption write its box and its words. A box is "
    "[left, top, width, height] as shares of the picture's sides from 0 to 1, with two digits; "
    "left and top are 0 in the upper left corner. Boxes lie where the caption says, inside it."
)
PANELS_SYSTEM: Final = (
    "You plan a set of pictures that are made side by side on one canvas. Say for each panel, in "
    "order, whether its picture is given (known) or to be made (made), and describe it in a "
    "sentence that stands for itself; known panels come first. Then write a joint caption that "
    "says what all panels have in common and what each shows."
)


def asking(prompt: str, schema: str) -> str:
    """The prompt with the schema, so that the model knows what the names and notes in it are."""
    return f"{prompt}\n\nAnswer in JSON by this schema:\n{schema}"


def boxes_schema(most: int) -> str:
    """The schema of 1 to ``most`` boxes with their captions."""
    share = {"type": "number", "minimum": 0, "maximum": 1}
    box = {"type": "array", "items": share, "minItems": 4, "maxItems": 4}
    properties = {"box": box, "caption": {"type": "string", "minLength": 1, "maxLength": 200}}
    item = {"type": "object", "properties": properties, "required": ["box", "caption"]}
    return json.dumps({"type": "array", "items": item, "minItems": 1, "maxItems": most})


def panels_schema(count: int) -> str:
    """The schema of a plan of ``count`` panels, of as many as the model likes for 0."""
    role = {"type": "string", "enum": ["known", "made"]}
    caption = {"type": "string", "minLength": 1, "maxLength": CAPTION}
    panel = {
        "type": "object",
        "properties": {"role": role, "caption": caption},
        "required": ["role", "caption"],
    }
    many = {"minItems": count or 1, "maxItems": count or MOST_PANELS}
    joint = {"type": "string", "minLength": 1, "maxLength": 2 * CAPTION}
    properties = {"panels": {"type": "array", "items": panel, **many}, "joint": joint}
    told = {"type": "object", "properties": properties, "required": ["panels", "joint"]}
    return json.dumps(told)


@dataclass(frozen=True)
class PanelPlan:
    """Captions of all panels in order, the first ``known`` of which are given; and of the whole."""

    captions: tuple[str, ...]
    known: int
    joint: str


_FENCED: Final = re.compile(r"```(?:json)?\s*(.*?)```", re.DOTALL)
_ADVICE: Final = "Ask the model again, or write the plan by hand."


def read_plan(reply: str) -> PanelPlan:
    """A plan of panels out of a language model's reply: JSON, alone or in a fenced block.

    Raises:
        DiffusionError: it is no such plan; the sentence says what is wrong with it.
    """
    fenced = _FENCED.search(reply)
    text = (fenced[1] if fenced else reply).strip()
    if not text:
        raise DiffusionError(f"The reply is empty, so there is no plan of panels. {_ADVICE}")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        place = f" ({error.msg}, character {error.pos})" if isinstance(
            error, json.JSONDecodeError) else ""  # fmt: skip
        raise DiffusionError(f"The reply is no JSON{place}. {_ADVICE}") from error
    if not isinstance(found, Mapping):
        raise DiffusionError(f"The reply is no object with panels and joint. {_ADVICE}")
    panels = found.get("panels")
    if not isinstance(panels, list) or not 1 <= len(panels) <= MOST_PANELS:
        count = f"{len(panels)}" if isinstance(panels, list) else "no list of them"
        raise DiffusionError(
            f"A plan has 1 to {MOST_PANELS} panels, and this reply has {count}. {_ADVICE}"
        )
    captions, roles = [], []
    for number, panel in enumerate(panels, 1):
        role = panel.get("role") if isinstance(panel, Mapping) else None
        if role not in ("known", "made"):
            raise DiffusionError(f"Panel {number} is neither known nor made. {_ADVICE}")
        captions.append(_caption(panel, "caption", f"Panel {number}", CAPTION))
        roles.append(role)
    known = roles.count("known")
    if "known" in roles[known:]:
        raise DiffusionError(
            f"Panel {known + 1 + roles[known:].index('known')} is known but comes after one that "
            f"is to be made; known panels come first. {_ADVICE}"
        )
    return PanelPlan(tuple(captions), known, _caption(found, "joint", "The plan", 2 * CAPTION))


def _caption(owner: Mapping[str, Any], name: str, whose: str, most: int) -> str:
    found = owner.get(name)
    if not isinstance(found, str) or not found.strip():
        raise DiffusionError(f"{whose} has no {name}. {_ADVICE}")
    if len(found) > most:
        raise DiffusionError(
            f"{whose} has a {name} of {len(found)} characters, more than {most}. {_ADVICE}"
        )
    return " ".join(found.split())
