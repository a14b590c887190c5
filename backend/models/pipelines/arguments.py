"""What a pipeline takes: its call arguments with types and help, and values for them as text."""

from __future__ import annotations

import difflib
import inspect
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from backend.diffusion.errors import DiffusionError

Task = Literal["image", "edit", "video", "audio"]

INTERNAL = frozenset(
    {
        "self", "args", "kwargs", "return_dict", "output_type", "generator", "callback",
        "callback_steps", "callback_on_step_end", "callback_on_step_end_tensor_inputs",
    }
)  # fmt: skip
"""Arguments that the adapter sets itself."""

_WORDS: tuple[tuple[str, str], ...] = (
    ("bool", "true or false"),
    ("int", "whole number"),
    ("float", "number"),
    ("str", "text"),
    ("list", "list"),
    ("tuple", "list"),
    ("dict", "table"),
    ("Any", "anything"),
)
_ENTRY = re.compile(
    r"^(?P<indent> +)(?P<name>[a-z_][a-z0-9_]*) ?\((?P<type>.+)\) ?:[ \t]*(?P<rest>.*)$"
)


@dataclass(frozen=True)
class Argument:
    """One call argument: ``kinds`` are the kinds of value that it takes as text (empty where it
    takes none, such as a tensor); ``default`` is ``None`` too where it is ``required``; ``fixed``
    says that a list has to come as a tuple."""

    name: str
    kinds: tuple[str, ...]
    default: Any
    required: bool
    help: str
    fixed: bool = False

    @property
    def line(self) -> str:
        """The argument in one line: ``name (kinds, default): help``."""
        kinds = " or ".join(self.kinds) or "no text"
        default = "required" if self.required else json.dumps(self.default, default=str)
        return f"{self.name} ({kinds}, {default}): {self.help}".rstrip(": ")


def call_arguments(kind: Any) -> tuple[Argument, ...]:
    """The arguments of a pipeline class, in its order, without those that Weft sets itself."""
    told = _docs(inspect.getdoc(kind.__call__) or "")
    found = []
    for name, parameter in inspect.signature(kind.__call__).parameters.items():
        if name in INTERNAL or parameter.kind is parameter.VAR_KEYWORD:
            continue
        required = parameter.default is parameter.empty
        typed, said = told.get(name, ("", ""))
        default = None if required else parameter.default
        kinds = _kinds(str(parameter.annotation), typed, default)
        written = str(parameter.annotation).lower()
        fixed = ("tuple" in written and "list" not in written) or isinstance(default, tuple)
        found.append(Argument(name, kinds, default, required, said, fixed))
    return tuple(found)


def task_of(kind: Any) -> Task:
    """What a pipeline class makes, by the arguments it takes: ``edit`` needs a picture."""
    names = {argument.name: argument for argument in call_arguments(kind)}
    if {"num_frames", "frames"} & set(names) or any("video" in name for name in names):
        return "video"
    if any("audio" in name or "waveform" in name for name in names):
        return "audio"
    needed = [n for n in ("image", "images", "input_image") if n in names]
    return "edit" if any(names[n].required for n in needed) else "image"


def frame_rate(kind: Any) -> float:
    """Frames per second of a pipeline's videos: its own default, or what its example writes."""
    named = {a.name: a.default for a in call_arguments(kind)}
    for name in ("frame_rate", "fps"):
        if isinstance(named.get(name), int | float) and not isinstance(named[name], bool):
            return float(named[name])
    shown = re.search(r"fps=(\d+)", inspect.getdoc(kind.__call__) or "")
    return float(shown[1]) if shown else 24.0


def read_extra(
    text: str, arguments: Sequence[Argument], taken: Mapping[str, str]
) -> dict[str, Any]:
    """Values of ``name = value`` lines, checked against the arguments.

    A value is JSON, or else plain text; empty lines and those that begin with ``#`` are left out.
    ``taken`` are arguments that a parameter of the node sets, with that parameter's name.

    Raises:
        DiffusionError: a line is malformed, or a name or value is none that the pipeline takes.
    """
    known = {argument.name: argument for argument in arguments}
    found: dict[str, Any] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, written = (part.strip() for part in line.partition("="))
        if not equals or not name:
            raise DiffusionError(
                f"Line {number} of extra is {line.strip()[:60]!r}. Write one `name = value` a line."
            )
        if name in taken:
            raise DiffusionError(f"{name} is set by {taken[name]} here; take it out of extra.")
        if name not in known:
            raise DiffusionError(f"The pipeline has no argument {name!r}. {_near(name, known)}")
        if name in found:
            raise DiffusionError(f"extra sets {name} twice. Keep one of the lines.")
        found[name] = _value(known[name], written)
    return found


def _near(name: str, known: Mapping[str, Argument]) -> str:
    given = [n for n, argument in known.items() if argument.kinds]
    near = difflib.get_close_matches(name, given, 4, 0.5)
    return f"It has {', '.join(near)}." if near else f"It has {', '.join(given[:30])}."


def _value(argument: Argument, written: str) -> Any:
    if not argument.kinds:
        raise DiffusionError(f"{argument.name} takes no value that can be written as text.")
    spelt = {"True": "true", "False": "false", "None": "null"}.get(written, written)
    try:
        value = json.loads(spelt, parse_constant=_no_number)
    except (ValueError, RecursionError):
        value = written
    if isinstance(value, float) and math.isinf(value):  # 1e400
        value = written
    kind = _kind_of(value)
    if kind == "nothing" or "anything" in argument.kinds or kind in argument.kinds:
        return tuple(value) if argument.fixed and isinstance(value, list) else value
    if kind == "whole number" and "number" in argument.kinds:
        return float(value)
    if "text" in argument.kinds:
        return written
    raise DiffusionError(
        f"{argument.name} takes {' or '.join(argument.kinds)}, not {written[:60]!r}. "
        f"{argument.help}".strip()
    )


def _no_number(written: str) -> Any:
    raise ValueError(f"{written} is no number")


def _kind_of(value: Any) -> str:
    kinds = {bool: "true or false", int: "whole number", float: "number", str: "text",
             list: "list", dict: "table"}  # fmt: skip
    return kinds.get(type(value), "nothing")


def _kinds(annotation: str, documented: str, default: Any) -> tuple[str, ...]:
    """Kinds of text value, by the annotation, else by what the docstring says, else the default."""
    for source in (annotation, documented):
        text = source.replace("List", "list").replace("Tuple", "tuple").replace("Dict", "dict")
        text = re.sub(r"\boptional\b|defaults to.*", "", text)
        found = [word for mark, word in _WORDS if re.search(rf"\b{mark}\b", text)]
        if found:
            return tuple(dict.fromkeys(found))
        if re.search(r"Tensor|Image|ndarray|Callable|Generator", text):
            return ()
    kind = _kind_of(list(default) if isinstance(default, tuple) else default)
    return () if kind == "nothing" else (kind,)


def _docs(doc: str) -> dict[str, tuple[str, str]]:
    """Type and first sentence of each argument in an ``Args:`` part of a docstring."""
    found: dict[str, tuple[str, str]] = {}
    lines = doc.splitlines()
    for index, line in enumerate(lines):
        entry = _ENTRY.match(line)
        if not entry:
            continue
        words = [entry["rest"]]
        for more in lines[index + 1 :]:
            deeper = len(more) - len(more.lstrip()) > len(entry["indent"])
            if not more.strip() or not deeper:
                break
            words.append(more.strip())
        said = " ".join(" ".join(words).split())
        first = re.split(r"(?<=[.!?]) ", said, maxsplit=1)[0]
        found.setdefault(entry["name"], (entry["type"], first[:300]))
    return found
