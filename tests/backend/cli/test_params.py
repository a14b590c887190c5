"""What --set does to a workflow."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.cli.errors import USAGE, Stop
from backend.cli.params import set_params
from backend.graph.document import Exposed, Graph, Node, Ref, Subgraph, Workflow
from backend.graph.spec import NodeSpec, Param

SPECS = {
    spec.type: spec
    for spec in (
        NodeSpec(
            "sample",
            1,
            "Sample",
            "Sampling",
            "",
            params=(
                Param("steps", "integer", 28, 1, 150),
                Param("cfg", "number", 3.5, 0.0, 30.0),
                Param("seed", "seed", 0, 0, 2**63 - 1),
                Param("mode", "choice", "soft", choices=("soft", "hard")),
            ),
        ),
        NodeSpec("load", 1, "Load", "Image", "", params=(Param("file", "file", ""),)),
        NodeSpec("text", 1, "Text", "Text", "", params=(Param("text", "multiline", ""),)),
        NodeSpec("repeat", 1, "Repeat", "Flow", "", params=(Param("times", "integer", 1),)),
    )
}

INNER = Graph({"blur": Node("sample", params={"steps": 3})})
FLOW = Workflow(
    Graph(
        {
            "sampler": Node("sample", inputs={"cfg": Ref("number", "number")}),
            "prompt": Node("text"),
            "photo": Node("load"),
            "loop": Node("repeat", body=Graph({"deep": Node("repeat", body=INNER)})),
            "up": Node("subgraph:finish", params={"seed": 1}),
        }
    ),
    subgraphs={
        "finish": Subgraph(
            Graph({"s": Node("subgraph:core")}),
            params={"strength": Exposed("s", "amount"), "seed": Exposed("s", "seed")},
        ),
        "core": Subgraph(
            Graph({"one": Node("sample")}),
            params={"amount": Exposed("one", "cfg"), "seed": Exposed("one", "seed")},
        ),
    },
    expose={"prompt": Exposed("prompt", "text"), "inner": Exposed("loop/deep/blur", "steps")},
)


def with_set(*settings: str) -> Workflow:
    return set_params(FLOW, SPECS, settings, Path("/nowhere"))[0]


def param(workflow: Workflow, path: str, name: str):
    graph, node = workflow.graph, None
    for part in path.split("/"):
        node = graph.nodes[part]
        graph = node.body
    return node.params[name]


@pytest.mark.parametrize(
    ("setting", "path", "name", "value"),
    [
        ("sampler.steps=20", "sampler", "steps", 20),
        ("sampler.seed=random", "sampler", "seed", "random"),
        ("sampler.mode=hard", "sampler", "mode", "hard"),
        ("prompt=a = b.c", "prompt", "text", "a = b.c"),
        ("prompt.text=", "prompt", "text", ""),
        ("loop/deep/blur.steps=9", "loop/deep/blur", "steps", 9),
        ("inner=9", "loop/deep/blur", "steps", 9),
        ("up.strength=2.5", "up", "strength", 2.5),
    ],
)
def test_a_setting_finds_its_parameter(setting, path, name, value):
    assert param(with_set(setting), path, name) == value


def test_the_later_setting_wins_and_other_nodes_are_shared():
    changed = with_set("sampler.steps=20", "sampler.steps=30")
    assert param(changed, "sampler", "steps") == 30
    assert changed.graph.nodes["loop"] is FLOW.graph.nodes["loop"]


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("sampler", "NODE.PARAM=VALUE"),
        ("=3", "NODE.PARAM=VALUE"),
        (".steps=3", "there is no node"),
        ("promt=x", "Did you mean prompt?"),
        ("sampler=3", "sampler is a node"),
        ("smapler.steps=3", "Did you mean sampler?"),
        ("sampler.step=3", "Did you mean steps?"),
        ("loop/deap/blur.steps=3", "no node deap in loop. Did you mean deep?"),
        ("sampler/x.steps=3", "no node x in sampler"),
        ("up.strenth=3", "Did you mean strength?"),
        ("sampler.cfg=3", "fed by a link from number.number"),
        ("sampler.steps=3.5", "not a whole number"),
        ("sampler.steps=0", "outside 1 to 150"),
        ("sampler.steps=" + "9" * 5000, "not a whole number"),
        ("up.strength=nan", "not a finite number"),
        ("up.strength=99", "outside 0 to 30"),
        ("sampler.mode=hart", "Did you mean hard?"),
        ("sampler.seed=-1", "outside 0 to"),
    ],
)
def test_a_setting_that_cannot_be_is_wrong_usage_with_a_sentence(setting, said):
    with pytest.raises(Stop) as stopped:
        with_set(setting)
    assert stopped.value.status == USAGE
    assert said in stopped.value.sentence


def test_a_file_of_the_current_folder_is_granted_and_written_relative_to_the_workflow(
    tmp_path, monkeypatch
):
    flows = tmp_path / "flows"
    flows.mkdir()
    (flows / "near.png").touch()
    (tmp_path / "far.png").touch()
    monkeypatch.chdir(tmp_path)

    near, near_grants = set_params(FLOW, SPECS, ["photo.file=flows/near.png"], flows)
    far, far_grants = set_params(FLOW, SPECS, ["photo.file=far.png"], flows)
    named, no_grants = set_params(FLOW, SPECS, ["photo.file=near.png"], flows)

    assert param(near, "photo", "file") == "near.png"
    assert near_grants == (flows / "near.png",)
    assert param(far, "photo", "file") == (tmp_path / "far.png").as_posix()
    assert far_grants == (tmp_path / "far.png",)
    assert param(named, "photo", "file") == "near.png"
    assert no_grants == ()
