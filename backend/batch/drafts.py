"""From a job of a batch to what is queued: its values, its seeds and its names in the document."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import blake3

from backend.batch.names import Clashes, Saving, written
from backend.batch.rows import SEED, Point
from backend.engine.queue.job import Draft
from backend.engine.queue.submit import drafts
from backend.engine.seeds import SUBGRAPH, put_params, settle_seeds
from backend.graph.document import Exposed, Node, Workflow, node_at
from backend.graph.spec import NodeSpec, Param
from backend.media.names import Field

Specs = Mapping[str, NodeSpec]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the jobs of a batch have in common.

    ``draft`` holds folders, grants and the title; ``template`` is that of ``--name``, or nothing;
    ``seed`` sets every seed; ``places`` are ``NODE.PARAM`` of what the engine knows when it saves,
    ``columns`` the parameters of the batch by the names they were given, and where they lie;
    ``draw`` is where seeds at random are drawn from, the same ones each time.
    """

    workflow: Workflow
    specs: Specs
    draft: Draft
    jobs: int
    template: str = ""
    seed: int | None = None
    places: Collection[str] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    draw: int = 0

    def document(self, point: Point) -> Workflow:
        """The workflow of a job; its seeds are not settled yet."""
        values = {each.target: each.value for each in point.values if each.target != SEED}
        if self.template:
            name = written(self.template, point, self.places, self.columns)
            values |= dict.fromkeys(name_places(self.workflow, self.specs), name)
        return put_params(self.workflow, values)

    def settled(self, point: Point) -> Workflow:
        """The same with every seed a number, as the job will have them."""
        seed, draw = self._seeds(point)
        return settle_seeds(self.document(point), self.specs, seed, draw)[0]

    def drafts(self, chosen: Sequence[Point]) -> list[Draft]:
        """What is queued for these jobs."""
        return [self._draft(point) for point in chosen]

    def _draft(self, point: Point) -> Draft:
        seed, draw = self._seeds(point)
        draft = replace(self.draft, title=f"{self.draft.title} {point.index}/{self.jobs}")
        document = self.document(point)
        (made,) = drafts(draft, document, self.specs, seed=seed, draw=draw)
        return made

    def _seeds(self, point: Point) -> tuple[int | None, Callable[[], int]]:
        """The seed for all seeds of a job, if there is one, and where others are drawn from."""
        seeds = [each.value for each in point.values if each.target == SEED]
        return (seeds[0] if seeds else self.seed), drawer(self.draw, point.index)


def drawer(draw: int, index: int) -> Callable[[], int]:
    """Seeds of a job, of at most ten digits: the same ones whenever it is asked again."""
    numbers = itertools.count()

    def next_seed() -> int:
        said = f"{draw} {index} {next(numbers)}".encode()
        return int.from_bytes(blake3.blake3(said).digest(4), "big")

    return next_seed


def name_places(workflow: Workflow, specs: Specs) -> list[str]:
    """The places of the output names of all nodes that save, in zones and subgraphs too; names that
    a link gives are left out."""
    return list(templates_of(workflow, specs))


def templates_of(workflow: Workflow, specs: Specs) -> dict[str, str]:
    """The output names of all nodes that save, by their places (see ``name_places``)."""
    return {
        place: str(node.params.get(param.name, param.default))
        for place, node, param in _names(workflow, specs)
    }


def check_clashes(
    recipe: Recipe,
    chosen: Sequence[Point],
    fields: Callable[[Workflow], Mapping[str, Field]],
    called: str = "--name",
) -> None:
    """See that no two jobs write the same file, where names are not numbered.

    Raises:
        BatchError: two do; ``fields`` gives what the engine knows of a workflow, ``called`` is what
            sentences call the template.
    """
    clashes = Clashes(called)
    # Values of the batch may make a node number its names or not.
    varies = any(target.endswith(".overwrite") for target in recipe.columns.values())
    for point in chosen:
        workflow = recipe.settled(point)
        names = _names(workflow, recipe.specs)
        found = [_saving(place, node, param) for place, node, param in names if node.mode == "on"]
        open_ones = [each for each in found if each.rule != "number"]
        if not open_ones and not varies:
            return
        clashes.add(point, open_ones, fields(workflow) if open_ones else {})


def _saving(place: str, node: Node, param: Param) -> Saving:
    template = node.params.get(param.name, param.default)
    rule = str(node.params.get("overwrite", "number"))
    form = f"{node.type} {node.params.get('format', '')}"
    return Saving(place.rpartition(".")[0], str(template), rule, form)


def _names(workflow: Workflow, specs: Specs) -> Iterator[tuple[str, Node, Param]]:
    """The output names: their places, the nodes that have them, and how they are declared."""
    graphs = [("", workflow.graph)]
    graphs += [(f"{SUBGRAPH}{name}/", sub.graph) for name, sub in workflow.subgraphs.items()]
    for prefix, graph in graphs:  # grows while it is walked
        for name, node in graph.nodes.items():
            for param in _name_params(workflow, specs, node):
                if param.name not in node.inputs:
                    yield f"{prefix}{name}.{param.name}", node, param
            if node.body is not None:
                graphs.append((f"{prefix}{name}/", node.body))


def _name_params(workflow: Workflow, specs: Specs, node: Node) -> list[Param]:
    """The output names among a node's parameters; of a use of a subgraph those that it sets."""
    if not node.type.startswith(SUBGRAPH):
        spec = specs.get(node.type)
        return [param for param in spec.params if param.kind == "name"] if spec else []
    found = ((name, _declared(workflow, specs, node.type, name)) for name in node.params)
    return [replace(param, name=name) for name, param in found if param and param.kind == "name"]


def _declared(workflow: Workflow, specs: Specs, kind: str, param: str) -> Param | None:
    """How a parameter is declared, through subgraphs in subgraphs."""
    for _ in range(len(workflow.subgraphs) + 1):
        if not kind.startswith(SUBGRAPH):
            return specs[kind].param(param) if kind in specs else None
        subgraph = workflow.subgraphs.get(kind.removeprefix(SUBGRAPH))
        exposed: Exposed | None = subgraph.params.get(param) if subgraph is not None else None
        node = node_at(subgraph.graph, exposed.node) if subgraph and exposed else None
        if node is None or exposed is None:
            return None
        kind, param = node.type, exposed.param
    return None
