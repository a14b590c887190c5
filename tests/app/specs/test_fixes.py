"""Each fix takes away the very diagnostic that it was offered for, and adds no other error."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.specs.fixes import fix_for
from app.specs.places import Place, place_of
from backend.graph.check import check
from backend.graph.document import Exposed, Graph, ModelNeed, Node, Port, Ref, Subgraph, Workflow

PAPER = Node("solid_image")
IMAGE = {"image": Ref("paper", "image")}


def flow(expose=None, models=(), subgraphs=None, **nodes) -> Workflow:
    paper = {"paper": PAPER, "save": Node("save_image", inputs=IMAGE)}
    return Workflow(
        Graph({**paper, **nodes}), expose=expose or {}, models=models, subgraphs=subgraphs or {}
    )


def zone(**outputs: Ref) -> Node:
    body = Graph({"soft": Node("blur", inputs={"image": Ref("$", "image")})}, outputs)
    return Node("repeat", inputs={"carry": IMAGE}, body=body)


MASK = Node("shape_mask")
SOFT = Subgraph(
    Graph({"b": Node("blur", inputs={"image": Ref("$", "image")})}, {"image": Ref("b", "image")}),
    inputs={"image": Port("Image")},
)
CASES = {
    "W109": (flow(blur=Node("blur", inputs=IMAGE, body=Graph())), "Take the inside out"),
    "W201": (flow(blur=Node("blur", params={"softness": 1}, inputs=IMAGE)), "Remove Softness"),
    "W202": (flow(blur=Node("blur", params={"radius": "x"}, inputs=IMAGE)), "Use the default"),
    "W203": (flow(blur=Node("blur", params={"radius": -3}, inputs=IMAGE)), "Use 0"),
    "W205": (flow(r=Node("resize", params={"mode": "nix"}, inputs=IMAGE)), "Use the default"),
    "W206": (flow(c=Node("solid_image", params={"color": "nix"})), "Use the default"),
    "W207": (
        flow(t=Node("text"), m=Node("load_model", inputs={"model": Ref("t", "text")})),
        "Remove the link",
    ),
    "W208": (flow(expose={"x": Exposed("nix", "radius")}), "Take it out of the list"),
    "W302": (flow(blur=Node("blur", inputs={**IMAGE, "nix": Ref("paper", "image")})), "Remove"),
    "W303": (flow(b=Node("resize", inputs={"image": Ref("paper", "nix")})), "Remove the link"),
    "W304": (flow(b=Node("batch_images", inputs={"images": (Ref("nix", "image"),)})), "Remove"),
    "W305": (
        flow(m=Node("load_image"), b=Node("grow_mask", inputs={"mask": Ref("paper", "image")})),
        "Insert ",
    ),
    "W306": (flow(blur=Node("blur", inputs={"image": (IMAGE["image"],) * 2})), "Keep the first"),
    "W307": (flow(blur=Node("blur", inputs={"image": {"x": IMAGE["image"]}})), "Remove the link"),
    "W311": (
        flow(
            a=Node("range", params={"count": 2}),
            b=Node("range", params={"count": 3}),
            m=Node("solid_image", inputs={"width": Ref("a", "integers"),
                                          "height": Ref("b", "integers")}),
        ),
        "Repeat the shorter list",
    ),
    "W314": (
        flow(subgraphs={"soft": SOFT}, use=Node("subgraph:soft", inputs=IMAGE, each="product")),
        "Take it out",
    ),
    "W402": (flow(blur=Node("blur", inputs=IMAGE)), "Remove the node"),
    "W405": (flow(models=(ModelNeed("nix"),)), "Take it out of the list"),
    "W501": (flow(loop=zone(other=Ref("soft", "image"))), "Pass it on unchanged"),
}  # fmt: skip


@pytest.mark.parametrize("code", CASES)
def test_a_fix_takes_its_diagnostic_away(registry, book, code):
    workflow, title = CASES[code]
    before = check(workflow, registry).diagnostics
    said = next(one for one in before if one.code == code)
    fix = fix_for(said, workflow, book)
    assert fix is not None
    assert fix.title.startswith(title)
    after = check(fix.change(workflow), registry).diagnostics
    assert said not in after
    allowed = {one.code for one in before} | {"W301"}  # what is unlinked may be needed
    assert {one.code for one in after if one.level == "error"} <= allowed


def test_a_fix_works_inside_subgraphs_and_zones(registry, book):
    bad = Node("blur", params={"radius": -3}, inputs={"image": Ref("$", "image")})
    inner = Graph({"b": replace(zone(image=Ref("soft", "image")), inputs={"carry": {
        "image": Ref("$", "image")}})}, {"image": Ref("b", "image")})  # fmt: skip
    inner = Graph(
        {
            "b": replace(
                inner.nodes["b"], body=Graph({"soft": bad}, {"image": Ref("soft", "image")})
            )
        },
        inner.outputs,
    )
    face = Subgraph(inner, inputs={"image": Port("Image")}, params={"gone": Exposed("x", "y")})
    workflow = flow(subgraphs={"face": face}, use=Node("subgraph:face", inputs=IMAGE))
    for code, place in (("W203", "subgraphs.face.nodes.b.body.nodes.soft.params.radius"),
                        ("W208", "subgraphs.face.params.gone")):  # fmt: skip
        said = next(one for one in check(workflow, registry).diagnostics if one.code == code)
        assert said.place == place
        fix = fix_for(said, workflow, book)
        assert said not in check(fix.change(workflow), registry).diagnostics


def test_a_bridge_puts_the_node_between(registry, book):
    workflow, _ = CASES["W305"]
    said = next(one for one in check(workflow, registry).diagnostics if one.code == "W305")
    fix = fix_for(said, workflow, book)
    fixed = fix.change(workflow)
    (new,) = set(fixed.graph.nodes) - set(workflow.graph.nodes)
    assert fix.title == f"Insert {book.specs[fixed.graph.nodes[new].type].title}"
    assert fixed.graph.nodes["b"].inputs["mask"].node == new
    assert fixed.graph.nodes[new].inputs["image"] == Ref("paper", "image")


def test_of_an_older_state_no_fix_is_offered(registry, book):
    for workflow, _ in CASES.values():
        for said in check(workflow, registry).diagnostics:
            fix_for(said, Workflow(), book)  # raises nothing
            if said.code != "W208":
                assert fix_for(said, Workflow(), book) is None


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("nodes.blur", Place("", "blur")),
        ("nodes.blur.params.radius", Place("", "blur", "params", "radius")),
        ("nodes.b.inputs.images.1", Place("", "b", "inputs", "images.1")),
        ("nodes.l.body.nodes.b.inputs.image", Place("", "l/b", "inputs", "image")),
        ("nodes.l.body.outputs.image", Place("", "l", "body", "outputs.image")),
        ("subgraphs.f.nodes.a.body.nodes.b", Place("f", "a/b")),
        ("subgraphs.f.params.x", Place("f", "", "params", "x")),
        ("subgraphs.f", Place("f", "")),
        ("expose.x", Place("", "", "expose", "x")),
        ("models.0", Place("", "", "models", "0")),
        ("nodes", Place("", "", "nodes")),
        ("", Place("", "")),
    ],
)
def test_places_lead_to_nodes(text, place):
    assert place_of(text) == place
