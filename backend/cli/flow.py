"""Opening what ``FLOW`` names: the workflow, the node types and what may be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from backend.cli.errors import INVALID, Stop, near, wrong_usage
from backend.cli.places import SUFFIX, examples
from backend.cli.streams import tell
from backend.graph.document import Workflow

if TYPE_CHECKING:
    from backend.engine.registry import NodeRegistry
    from backend.media.grants import Grants


@dataclass(frozen=True)
class Flow:
    """A workflow that was opened, with all that is needed to check or run it."""

    path: Path
    workflow: Workflow
    registry: NodeRegistry
    grants: Grants

    def granting(self, files: Sequence[Path]) -> Flow:
        """The same with more files that may be read."""
        grants = replace(self.grants, roots=(*self.grants.roots, *files))
        return replace(self, grants=grants)


def open_flow(name: str, allowed: Sequence[Path]) -> Flow:
    """Open a workflow file, a picture that carries its workflow, or a shipped example by its name.

    Its own folder and ``allowed`` may be read; what a picture carries gets no more than a file.

    Raises:
        Stop: there is no such file, or it is no workflow.
    """
    from backend.media.grants import Grants

    path = find_flow(name)
    for given in allowed:
        if not given.exists():
            raise wrong_usage(f"--allow-read {given}: there is no such file or folder.")
    workflow = read_workflow(path)
    folder = path.absolute().parent
    roots = (folder, *(given.absolute() for given in allowed))
    return Flow(path, workflow, node_types(), Grants(folder, roots))


def read_workflow(path: Path) -> Workflow:
    """The workflow in a file, or the one that a picture of Weft was made with.

    Raises:
        Stop: it holds none that can be read.
    """
    from backend.cli.pictures import embedded, is_picture
    from backend.graph.format import FormatError, load, parse

    try:
        if not is_picture(path):
            return load(path)
        text = embedded(path, INVALID).get("workflow")
        return parse(text if isinstance(text, str) else "", f"the workflow in {path.name}")
    except FormatError as error:
        raise Stop(error.sentence, INVALID, code=error.code, place=error.place) from None


def node_types() -> NodeRegistry:
    """All node types; a file in ``nodes/`` that cannot be used is told on standard error."""
    from backend.engine.registry import scan_nodes

    registry = scan_nodes()
    for error in registry.errors:
        tell(error.sentence)
    return registry


def find_flow(name: str) -> Path:
    """The file that ``FLOW`` means: a path if there is one, else a shipped example.

    Raises:
        Stop: there is neither.
    """
    path = Path(name)
    try:
        exists = path.exists()
    except (OSError, ValueError):
        exists = False
    if exists:
        if path.is_dir():
            raise wrong_usage(f"{name} is a folder; name a workflow file in it.")
        return path
    shipped = examples()
    if name.removesuffix(SUFFIX) in shipped:
        return shipped[name.removesuffix(SUFFIX)]
    beside = path.parent.glob(f"*{SUFFIX}") if path.parent.is_dir() else ()
    known = [*shipped, *(str(other) for other in beside)]
    raise wrong_usage(f"There is no workflow file {name!r} and no example of that name."
                      f"{near(name, known)}")  # fmt: skip
