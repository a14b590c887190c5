"""Opening what ``FLOW`` names: the workflow, the node types and what may be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from backend.cli.errors import INVALID, Stop, near, wrong_usage
from backend.cli.places import SUFFIX, examples, user_settings
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
    """Open a workflow file, an output that carries its workflow, or a shipped example by its name.

    Its own folder and ``allowed`` may be read; what an output carries gets no more than a file.

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
    registry = node_types()
    _tell_packs(workflow, registry)
    return Flow(path, workflow, registry, Grants(folder, roots))


def _tell_packs(workflow: Workflow, registry: NodeRegistry) -> None:
    """Say which packs a workflow needs that are there and not trusted."""
    from backend.cli.params import inner_graphs

    graphs = [workflow.graph, *(one.graph for one in workflow.subgraphs.values())]
    types = {node.type for each in graphs for g in inner_graphs(each) for node in g.nodes.values()}
    named = {kind.partition(".")[0] for kind in types - registry.specs.keys() if "." in kind}
    if not named:
        return
    from backend.engine.packs import find_packs, load_trusted
    from backend.settings import data_folder

    data = data_folder(user_settings())
    trusted = {pack.name for pack in load_trusted(data)[0]}
    for pack in find_packs(data)[0]:
        if pack.name in named - trusted:
            tell(
                f"The workflow uses nodes of the pack {pack.name!r}, which is not trusted. "
                f"Look at {pack.root}, then: weft packs trust {pack.name}"
            )


def read_workflow(path: Path) -> Workflow:
    """The workflow in a file, or the one that an output of Weft was made with.

    Raises:
        Stop: it holds none that can be read.
    """
    from backend.cli.pictures import embedded, is_output
    from backend.graph.format import FormatError, load, parse

    try:
        if not is_output(path):
            return load(path)
        text = embedded(path, INVALID).get("workflow")
        return parse(text if isinstance(text, str) else "", f"the workflow in {path.name}")
    except FormatError as error:
        raise Stop(error.sentence, INVALID, code=error.code, place=error.place) from None


def node_types() -> NodeRegistry:
    """All node types, those of trusted packs too; what cannot be used is told on standard error."""
    from backend.engine.packs import load_trusted
    from backend.engine.registry import scan_nodes
    from backend.settings import data_folder

    packs, problems = load_trusted(data_folder(user_settings()))
    registry = scan_nodes(packs=packs)
    for sentence in (*problems, *(error.sentence for error in registry.errors)):
        tell(sentence)
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
