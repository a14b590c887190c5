"""Taking prompts and paths out of what goes into a bug report.

Nobody can tell by its looks whether a piece of text is a prompt. So of a log only what is known to
be none is kept: times, commands by their name, where a traceback went through files of Weft and its
libraries, and what kind of error it was. Paths are taken out of the rest by their form.
"""

from __future__ import annotations

import getpass
import os
import platform
import re
import sysconfig
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from backend.cli.places import root

_HEAD = re.compile(r"== \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} \d+")
_COMMAND = re.compile(r"weft ([a-z]+)\b")
_BEGIN = "Traceback (most recent call last):"
_LINKS = (
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)
_PLACE = re.compile(r'  File "([^"\n]{1,4096})", line (\d+)(?:, in ([\w<>.]+))?')
_FATAL = re.compile(
    "Fatal Python error: (Segmentation fault|Aborted|Bus error|Illegal instruction|"
    "Floating-point exception)"
)
_THREAD = re.compile(r"((?:Current thread|Thread) 0x[0-9a-f]{1,16}) .*\(most recent call first\):")
_STACK = re.compile(r'  File "([^"\n]{1,4096})", line (\d+) in ([\w<>.]+)')
_MEMORY = re.compile(r"Most memory that was seen: \d+ MiB")
_ERROR = re.compile(r"([A-Za-z_][\w.]{0,200})(: |$)")
_WHOLE = (_HEAD, _FATAL, _MEMORY)
"""Lines that Weft and Python write word by word."""
_PATH = re.compile(r"""(?<![\w.~/\\<])(?:~?/|\\\\|[A-Za-z]:[\\/])[^\s'"][^'":;()\n]*""")
"""An absolute path. It may hold blanks, so that what follows it in a sentence goes with it."""
_ELSEWHERE = "<elsewhere>"


@dataclass(frozen=True)
class Redaction:
    """What is let through: ``paths``, and ``prompts`` with all other text that people wrote.

    ``commands`` are the names of the command's own commands.
    """

    paths: bool = False
    prompts: bool = False
    commands: Collection[str] = ()

    def log(self, text: str) -> str:
        """A log, line by line; lines that are taken out are counted."""
        lines = text.splitlines()
        if self.prompts:
            return "\n".join(self.sentence(line) for line in lines)
        return "\n".join(_counted(self._kept(lines)))

    def sentence(self, text: str) -> str:
        """A sentence of Weft's own, without paths, the user's name and the machine's."""
        if self.paths:
            return text
        text = _PATH.sub("<path>", text)
        known = ((_home(), "<user>"), (_user(), "<user>"), (platform.node(), "<machine>"))
        for name, shown in known:
            if len(name) > 2:
                text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", shown, text)
        return text

    def _kept(self, lines: list[str]) -> Iterator[str | None]:
        """Each line as it may be told, or ``None``."""
        inside = trusted = False  # in a traceback; in one that went through a known file
        stack = False  # in what faulthandler wrote of one thread
        for line in lines:
            place, thread = _PLACE.fullmatch(line), _THREAD.fullmatch(line)
            call = _STACK.fullmatch(line) if stack else None
            stack = bool(thread or call)
            if line == _BEGIN:
                inside, trusted = True, False
                yield line
            elif thread:
                inside = False
                yield f"{thread[1]} (most recent call first):"
            elif call:
                yield self._frame(call, _known(call[1]))
            elif inside and place:
                where = _known(place[1])
                trusted = trusted or where != _ELSEWHERE
                yield self._frame(place, where)
            elif inside and not line.startswith("  "):
                inside = False
                error = _ERROR.match(line)
                yield f"{error[1]} (message left out)" if error and trusted else None
            elif line in _LINKS or any(known.fullmatch(line) for known in _WHOLE):
                inside = False
                yield line
            else:
                command = _COMMAND.match(line)
                known = command is not None and command[1] in self.commands
                yield f"weft {command[1]} (arguments left out)" if command and known else None

    def _frame(self, found: re.Match[str], where: str) -> str:
        """A line of a traceback; of a file that is not known only that there was one."""
        if where == _ELSEWHERE:
            path = found[1] if self.paths else where
            return f'  File "{path}", line {found[2]}'
        path = found[1] if self.paths else where
        return f'  File "{path}", line {found[2]}' + (f", in {found[3]}" if found[3] else "")


def _counted(lines: Iterator[str | None]) -> Iterator[str]:
    left_out = 0
    for line in lines:
        if line is None:
            left_out += 1
            continue
        if left_out:
            yield f"(left out: {left_out})"
            left_out = 0
        yield line
    if left_out:
        yield f"(left out: {left_out})"


def _known(path: str) -> str:
    """A file of Weft, of a library or of Python by its place in there; any other is not told."""
    places = sysconfig.get_paths()
    homes = {
        "<weft>/backend": str(root() / "backend"),
        "<weft>/nodes": str(root() / "nodes"),
        "<lib>": places["purelib"],
        "<lib64>": places["platlib"],
        "<python>": places["stdlib"],
    }
    found = os.path.abspath(path)
    # The deepest home that holds it: libraries may lie in Python's own folder.
    for name, home in sorted(homes.items(), key=lambda item: -len(item[1])):
        if found.startswith(home + os.sep) and os.path.isfile(found):
            return f"{name}/{Path(os.path.relpath(found, home)).as_posix()}"
    return _ELSEWHERE


def _home() -> str:
    try:
        return Path.home().name
    except RuntimeError:
        return ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
