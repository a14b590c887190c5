"""Which node shows a step, which steps a run touches, and which of them do not hold any more."""

from __future__ import annotations

from dataclasses import replace

from app.run.looks import source_of
from app.run.places import level_runs, places, steps_of
from app.run.plan import planned, stale, without_files
from app.run.state import NodeRun
from backend.graph.document import Graph, Node, Placement, Ref, Subgraph, Workflow
from backend.graph.spec import NodeSpec

SOFT = Subgraph(
    Graph({"blur": Node("blur"), "mix": Node("mix", inputs={"a": Ref("blur", "image")})},
          {"image": Ref("mix", "image")})
)  # fmt: skip
TWICE = Subgraph(
    Graph({"one": Node("subgraph:soft"), "two": Node("subgraph:soft")},
          {"image": Ref("two", "image")})
)  # fmt: skip
ZONE = Node("repeat", body=Graph({"soft": Node("subgraph:soft"), "add": Node("add")}))
FLOW = Workflow(
    Graph(
        {
            "load": Node("load"),
            "both": Node("subgraph:twice", inputs={"image": Ref("load", "image")}),
            "loop": replace(ZONE, inputs={"image": Ref("both", "image")}),
            "save": Node("save", inputs={"image": Ref("loop", "image")}),
            "look": Node("look", inputs={"image": Ref("both", "image")}),
            "lone": Node("blur"),
        }
    ),
    subgraphs={"soft": SOFT, "twice": TWICE},
)
SPECS = {
    "save": NodeSpec("save", 1, "Save", "", "", effect=True, lane="file"),
    "look": NodeSpec("look", 1, "Look", "", "", effect=True),
}


def test_a_step_shows_in_every_level_that_it_lies_in():
    assert places(FLOW, "load") == (("", "load"),)
    assert places(FLOW, "loop/add") == (("", "loop/add"),)
    assert places(FLOW, "both/two/blur") == (("", "both"), ("twice", "two"), ("soft", "blur"))
    assert places(FLOW, "loop/soft/mix") == (("", "loop/soft"), ("soft", "mix"))
    assert places(FLOW, "gone/x") == ()


def test_a_use_shows_all_that_is_inside_and_an_inner_node_all_its_uses():
    runs = {"both/one/blur": NodeRun("done", seconds=1.0), "both/two/blur": NodeRun("running")}
    assert level_runs(FLOW, "", runs)["both"].status == "running"
    assert {p: r.status for p, r in level_runs(FLOW, "twice", runs).items()} == {
        "one": "done",
        "two": "running",
    }
    assert level_runs(FLOW, "soft", runs)["blur"].status == "running"
    assert level_runs(FLOW, "soft", runs, "both/one")["blur"].status == "done"


def test_the_steps_of_an_inner_node_are_one_for_each_use():
    assert steps_of(FLOW, "", "load") == ("load",)
    assert steps_of(FLOW, "soft", "mix") == ("both/one/mix", "both/two/mix", "loop/soft/mix")
    assert steps_of(FLOW, "soft", "mix", most=1) == ("both/one/mix",)


def test_a_run_touches_what_its_effects_need():
    plan = planned(FLOW, SPECS)
    assert "lone" not in plan
    assert list(plan)[:3] == ["load", "both/one/blur", "both/one/mix"]
    assert {"loop", "loop/soft/blur", "loop/add", "save", "look"} <= plan.keys()
    assert plan["loop/soft/blur"] == "blur"
    assert set(planned(FLOW, SPECS, ["load"])) == {"load"}
    assert set(planned(FLOW, {})) >= {"save", "look", "lone"}  # all that nobody uses


def test_a_muted_node_is_no_part_of_a_run():
    nodes = {**FLOW.graph.nodes, "look": replace(FLOW.graph.nodes["look"], mode="mute")}
    assert "look" not in planned(replace(FLOW, graph=Graph(nodes)), SPECS)


def test_a_run_on_change_writes_no_files():
    assert without_files(FLOW, SPECS) == ("look", "loop")
    assert without_files(FLOW, {}) == ()


def test_a_change_makes_stale_what_comes_after_it():
    assert stale(FLOW, FLOW) == frozenset()
    assert stale(FLOW, FLOW.with_param("save", "name", "x")) == {"save"}
    changed = stale(FLOW, FLOW.with_param("load", "path", "x"))
    assert changed == {"load", "both", "loop", "save", "look"}
    soft = replace(SOFT, graph=Graph({**SOFT.graph.nodes, "blur": Node("sharpen")}))
    inner = replace(FLOW, subgraphs={**FLOW.subgraphs, "soft": soft})
    assert stale(FLOW, inner) == {"both", "loop", "save", "look"}


def test_a_name_or_a_place_makes_nothing_stale():
    named = FLOW.with_node("load", replace(FLOW.graph.nodes["load"], title="Photo"))
    moved = replace(named, layout=replace(named.layout, nodes={"load": Placement(8, 8)}))
    assert stale(FLOW, moved) == frozenset()


def test_the_value_of_a_use_is_that_of_what_gives_it_inside():
    assert source_of(FLOW, "both", "image") == ("both/two/mix", "image")
    assert source_of(FLOW, "both/one", "image") == ("both/one/mix", "image")
    assert source_of(FLOW, "load", "image") == ("load", "image")
    assert source_of(FLOW, "loop/add", "image") is None
