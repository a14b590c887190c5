"""Opening subgraphs: exposed parameters, nesting, and documents that would never end."""

from __future__ import annotations

import json
import time

import pytest

from backend.graph.check import check
from backend.graph.document import Graph, Node, Ref, Workflow
from backend.graph.flat import Wire
from backend.graph.format import parse

SOFT = """
    def soft(image: Image):
        b = soften(image=_.image)
        give(image=b.image)
        expose(strength=b.radius)
    s = source()
"""


def test_a_use_is_opened_in_its_place(checked):
    found = checked(SOFT + "    u = sub.soft(image=s.image); save = keep(image=u.image)")
    assert [step.id for step in found.flat.steps] == ["s", "u/b", "save"]
    assert found.flat.steps[2].inputs == {"image": Wire(1, "image")}


def test_exposed_parameters_are_set_and_linked_from_outside(checked):
    found = checked(
        SOFT
        + """
    a = add()
    u = sub.soft(image=s.image, strength=a.number)
    v = sub.soft(image=u.image, strength=7)
    """
    )
    steps = {step.id: step for step in found.flat.steps}
    assert steps["u/b"].inputs["radius"] == Wire(1, "number")
    assert steps["v/b"].params == {"radius": 7.0}


def test_subgraphs_in_subgraphs_hand_parameters_on(checked):
    found = checked(
        SOFT
        + """
    def twice(image: Image):
        one = sub.soft(image=_.image)
        two = sub.soft(image=one.image)
        give(image=two.image)
        expose(second=two.strength)
    u = sub.twice(image=s.image, second=5)
    """
    )
    assert [(step.id, step.params.get("radius")) for step in found.flat.steps[1:]] == [
        ("u/one/b", 1.0),
        ("u/two/b", 5.0),
    ]


def test_a_wrong_value_from_outside_is_said_of_the_inner_node(checked, only):
    found = checked(SOFT + "    u = sub.soft(image=s.image, strength=-1)")
    assert only(found, "W203").place == "subgraphs.soft.nodes.b.params.radius"


@pytest.mark.parametrize(
    ("use", "code"),
    [
        ("sub.soft()", "W301"),
        ("sub.soft(image=s.image, x=s.image)", "W302"),
        ("sub.soft(image=[s.image])", "W306"),
        ("sub.soft(image=nix.image)", "W304"),
        ("sub.soft(image=s.image, x=1)", "W201"),
        ("sub.hard()", "W105"),
    ],
)
def test_mistakes_in_a_use_are_said(checked, codes, use, code):
    assert code in codes(SOFT + f"    u = {use}")
    assert checked(SOFT + f"    u = {use}").flat is None


def test_an_unknown_output_of_a_use_is_said(checked, only):
    found = checked(SOFT + "    u = sub.soft(image=s.image); save = keep(image=u.imag)")
    assert only(found, "W303").fix == "Did you mean image?"


def test_an_input_that_may_stay_open(checked):
    found = checked("""
        def pick(first: Image, second: Image = None):
            c = choose(first=_.first, second=_.second)
            give(value=c.value)
        s = source()
        u = sub.pick(first=s.image)
    """)
    assert found.ok
    assert list(found.flat.steps[1].inputs) == ["first"]


def test_a_muted_use_leaves_out_what_needs_it_and_a_bypassed_one_passes(checked):
    text = SOFT + "    u = sub.soft(image=s.image, mode='MODE'); save = keep(image=u.image)"
    muted = checked(text.replace("MODE", "mute"))
    assert [step.id for step in muted.flat.steps] == ["s"]
    passed = checked(text.replace("MODE", "bypass"))
    assert [step.id for step in passed.flat.steps] == ["s", "save"]


def test_errors_inside_a_use_off_the_way_do_not_stop_what_is_wanted(checked):
    found = checked(SOFT + "    u = sub.soft(); save = keep(image=s.image)", wanted=["save"])
    assert [step.id for step in found.flat.steps] == ["s", "save"]


def test_a_whole_use_may_be_wanted(checked):
    found = checked(SOFT + "    u = sub.soft(image=s.image); x = nix()", wanted=["u"])
    assert [step.id for step in found.flat.steps] == ["s", "u/b"]


def make_bomb(levels, fan):
    subgraphs = {
        f"s{i}": {"nodes": {f"n{j}": {"type": f"subgraph:s{i + 1}"} for j in range(fan)}}
        for i in range(levels)
    }
    subgraphs[f"s{levels}"] = {"nodes": {"x": {"type": "source"}}}
    raw = {"weft": 1, "nodes": {"a": {"type": "subgraph:s0"}}, "subgraphs": subgraphs}
    return parse(json.dumps(raw), "bomb")


def test_ten_to_the_ten_nodes_are_refused_at_once(registry, only):
    bomb = make_bomb(10, 10)
    begun = time.process_time()
    found = check(bomb, registry)
    assert time.process_time() - begun < 0.1
    assert only(found, "W107").sentence.startswith("The workflow opens to 21111111111 nodes")


def test_subgraphs_deep_in_each_other_are_refused(registry, only):
    found = check(make_bomb(80, 1), registry)
    assert "81 subgraphs inside each other" in only(found, "W107").sentence


def test_five_thousand_subgraphs_deep_is_no_recursion(registry):
    assert check(make_bomb(5000, 1), registry).flat is None


def test_a_subgraph_in_itself_is_said_with_its_path(checked, only):
    found = checked("""
        def a():
            x = sub.b()
        def b():
            y = sub.a()
        s = source()
    """)
    assert only(found, "W106").sentence == "Subgraph a contains itself: a -> b -> a."


def test_a_long_chain_written_backwards_is_checked(registry):
    nodes = {"n0": Node("source")}
    for i in range(1, 10_000):
        nodes[f"n{i}"] = Node("soften", inputs={"image": Ref(f"n{i - 1}", "image")})
    found = check(Workflow(Graph(dict(reversed(nodes.items())))), registry)
    assert found.facts["n9999"]["image"].width == 8
    assert found.flat.steps[-1].inputs == {"image": Wire(9998, "image")}


def test_a_use_of_no_name_is_an_unknown_subgraph(registry, only):
    nodes = Graph({"u": Node("subgraph:")})
    assert only(check(Workflow(nodes), registry), "W105").place == "nodes.u"
