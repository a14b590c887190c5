"""What is queued for a job of a batch: its values, seeds and names in the document."""

from __future__ import annotations

import pytest

from backend.batch.drafts import Recipe, check_clashes, drawer, name_places
from backend.batch.errors import BatchError
from backend.batch.rows import SEED, Point, Value
from backend.engine.queue.job import Draft
from backend.graph.document import Exposed, Graph, Node, Subgraph, Workflow
from backend.graph.format import parse
from backend.graph.spec import NodeSpec, Param

SAVE = NodeSpec("save", 1, "Save", "", "", params=(
    Param("name", "name", "{node}"), Param("overwrite", "choice", "number"),
    Param("quality", "integer", 90),
), effect=True)  # fmt: skip
NOISE = NodeSpec("noise", 1, "Noise", "", "", params=(Param("seed", "seed", 0),))
SPECS = {"save": SAVE, "noise": NOISE}
INNER = Graph({"deep": Node("save")})
FLOW = Workflow(
    Graph(
        {
            "keep": Node("save"),
            "loop": Node("repeat", body=Graph({"each": Node("save")})),
            "use": Node("subgraph:part", params={"called": "x"}),
            "noise": Node("noise", params={"seed": "random"}),
        }
    ),
    subgraphs={"part": Subgraph(INNER, params={"called": Exposed("deep", "name")})},
)


def point(index: int, target: str, value: object, kind: str = "integer") -> Point:
    return Point(index, 0, (Value(target, target, kind, value),))


def recipe(**more: object) -> Recipe:
    return Recipe(FLOW, SPECS, Draft("", "/", "/", title="all"), 2, **more)


def test_a_name_reaches_every_node_that_saves():
    assert set(name_places(FLOW, SPECS)) == {
        "keep.name", "loop/each.name", "use.called", "subgraph:part/deep.name",
    }  # fmt: skip
    made = recipe(template="{index:3}").document(point(7, "keep.quality", 5))
    assert dict(made.graph.nodes["keep"].params) == {"name": "007", "quality": 5}
    body = made.graph.nodes["loop"].body
    assert body is not None
    assert body.nodes["each"].params["name"] == "007"
    assert made.graph.nodes["use"].params["called"] == "007"
    assert made.subgraphs["part"].graph.nodes["deep"].params["name"] == "007"


def test_seeds_are_those_of_the_column_or_drawn_the_same_each_time():
    one, two = recipe(draw=5).drafts([point(1, "keep.quality", 1), point(2, "keep.quality", 2)])
    assert recipe(draw=5).drafts([point(1, "keep.quality", 1)])[0] == one
    assert one.seeds["noise.seed"] != two.seeds["noise.seed"]
    assert recipe(draw=6).drafts([point(1, "keep.quality", 1)])[0].seeds != one.seeds
    (column,) = recipe().drafts([point(1, SEED, 42, "seed")])
    assert column.seeds == {"noise.seed": 42}
    assert recipe(seed=43).drafts([point(1, "keep.quality", 1)])[0].seeds == {"noise.seed": 43}
    assert (one.title, two.title) == ("all 1/2", "all 2/2")
    assert parse(one.document, "it").graph.nodes["keep"].params["quality"] == 1
    numbers = drawer(1, 1)
    assert numbers() != numbers()


def test_clashes_are_looked_for_where_a_value_ends_the_numbering():
    named = {"keep": Node("save", params={"name": "a"})}
    plain = Recipe(
        Workflow(Graph(named)), SPECS, Draft("", "/", "/"), 3,
        columns={"keep.overwrite": "keep.overwrite"},
    )  # fmt: skip
    chosen = [point(n, "keep.overwrite", rule, "choice") for n, rule in
              enumerate(("number", "replace", "refuse"), 1)]  # fmt: skip
    check_clashes(plain, chosen[:2], lambda workflow: {})
    with pytest.raises(BatchError, match="Jobs 2 and 3 would both write a "):
        check_clashes(plain, chosen, lambda workflow: {})
