"""Opening zones: what a body reads, what comes out, captures, nesting."""

from __future__ import annotations

import pytest

from backend.graph.caps import Caps
from backend.graph.check import check
from backend.graph.document import Graph, Node, Workflow
from backend.graph.flat import FROM_ZONE, Wire


def test_a_repeat_reads_its_carried_value(checked):
    found = checked("""
        s = source()
        with repeat(carry={"image": s.image}) as z:
            b = soften(image=_.image)
            give(image=b.image)
    """)
    step = found.flat.steps[1]
    assert step.inputs == {"carry": {"image": Wire(0, "image")}}
    assert step.body.steps[0].id == "z/b"
    assert step.body.steps[0].inputs == {"image": Wire(FROM_ZONE, "image")}
    assert step.body.outputs == {"image": Wire(0, "image")}
    assert found.facts["z"]["image"].width == 8


def test_a_value_that_grows_each_turn_is_not_known(checked):
    found = checked("""
        s = source()
        with repeat(carry={"image": s.image}) as z:
            w = widen(image=_.image)
            give(image=w.image)
    """)
    facts = found.facts["z"]["image"]
    assert (facts.type, facts.width) == ("Image", None)


def test_other_outputs_come_as_lists_and_count_is_known(checked):
    found = checked("""
        with repeat(times=5) as z:
            x = add(a=_.index, b=_.count)
            give(sums=x.number)
    """)
    facts = found.facts["z"]["sums"]
    assert (facts.is_list, facts.length) == (True, 5)
    inner = found.flat.steps[0].body.steps[0]
    assert inner.inputs["b"] == Wire(FROM_ZONE, "count", "Integer->Number")


def test_a_stop_makes_the_number_of_turns_unknown(checked):
    found = checked("""
        with repeat() as z:
            y = yes()
            x = add()
            give(sums=x.number, stop=y.boolean)
    """)
    assert list(found.facts["z"]) == ["sums"]
    assert found.facts["z"]["sums"].length is None
    assert found.flat.steps[0].body.outputs["stop"] == Wire(0, "boolean")


def test_a_body_captures_what_lies_outside_through_every_zone(checked):
    found = checked("""
        with repeat() as z:
            with repeat() as y:
                b = soften(image=s.image)
                give(o=b.image)
            give(o=y.o)
        s = source()
    """)
    assert [step.id for step in found.flat.steps] == ["s", "z"]
    outer = found.flat.steps[1]
    assert outer.inputs["captures"] == {"s.image": Wire(0, "image")}
    middle = outer.body.steps[0]
    assert middle.inputs["captures"] == {"s.image": Wire(FROM_ZONE, "s.image")}
    assert middle.body.steps[0].inputs == {"image": Wire(FROM_ZONE, "s.image")}
    assert found.facts["z/y/b"]["image"].width == 8


def test_an_inner_zone_may_read_what_the_outer_one_hands_in(checked):
    found = checked("""
        s = source()
        with repeat(carry={"image": s.image}) as z:
            with repeat() as y:
                b = soften(image=_.image)
                give(o=b.image)
            k = soften(image=_.image)
            give(image=k.image, o=y.o)
    """)
    inner = found.flat.steps[1].body.steps[0]
    assert inner.inputs["captures"] == {"z.$image": Wire(FROM_ZONE, "image")}
    assert found.facts["z/y/b"]["image"].width == 8


def test_for_each_takes_lists_item_by_item(checked):
    found = checked("""
        d = digits(count=3)
        with for_each(items={"n": d.integers}) as z:
            x = add(a=_.n)
            give(sum=x.number, stop=x.number)
    """)
    assert found.ok
    assert found.facts["z"]["sum"].length == 3
    assert found.facts["z"]["stop"].is_list
    assert not found.facts["z/x"]["number"].is_list


def test_lists_of_a_for_each_must_agree(codes):
    assert "W311" in codes("""
        d = digits(count=3)
        e = digits(count=9)
        with for_each(items={"n": d.integers, "m": e.integers}) as z:
            give(o=_.n)
    """)


def test_a_carried_value_is_converted_back(checked):
    found = checked("""
        a = add()
        with repeat(carry={"x": a.number}) as z:
            w = whole()
            give(x=w.integer)
    """)
    assert found.flat.steps[1].body.outputs == {"x": Wire(0, "integer", "Integer->Number")}
    assert found.facts["z"]["x"].type == "Number"


def test_a_zone_that_reads_what_it_feeds_is_a_cycle(codes):
    assert "W308" in codes("""
        s = source()
        with repeat(carry={"image": s.image}) as z:
            b = soften(image=after.image)
            give(image=b.image)
        after = soften(image=z.image)
    """)


def test_a_bypassed_repeat_passes_its_carried_values(checked):
    found = checked("""
        s = source()
        with repeat(carry={"image": s.image}, mode="bypass") as z:
            b = soften(image=_.image)
            give(image=b.image)
        save = keep(image=z.image)
    """)
    assert [step.id for step in found.flat.steps] == ["s", "save"]


def test_muted_nodes_in_a_body_leave_out_what_needs_them(checked, only):
    found = checked("""
        s = source()
        with repeat(carry={"image": s.image}) as z:
            m = source(mode="mute")
            b = soften(image=_.image)
            give(image=b.image, pictures=m.image)
        save = keep(image=z.pictures)
    """)
    assert [step.id for step in found.flat.steps] == ["s", "z"]
    assert only(found, "W310").sentence == "save does not run, because z/m is muted."


@pytest.mark.parametrize(
    ("zone", "body", "code", "place"),
    [
        ("repeat(carry={'image': s.image})", "give(o=s.image)", "W501", "nodes.z.body.outputs"),
        (
            "repeat(carry={'index': a.number})",
            "give(o=s.image)",
            "W502",
            "nodes.z.inputs.carry.index",
        ),
        (
            "for_each(items={'x': a.number}, carry={'x': a.number})",
            "give(x=a.number)",
            "W502",
            "nodes.z.inputs.carry.x",
        ),
        (
            "repeat(carry={'image': s.image})",
            "give(image=a.number)",
            "W503",
            "nodes.z.body.outputs.image",
        ),
        (
            "repeat(carry={'stop': a.number})",
            "give(stop=_.stop)",
            "W502",
            "nodes.z.inputs.carry.stop",
        ),
        ("repeat(times=g.values)", "give(o=s.image)", "W305", "nodes.z.inputs.times"),
        ("repeat()", "give(stop=a.number)", "W504", "nodes.z.body.outputs.stop"),
        ("repeat()", "w = whole()", "W505", "nodes.z.body"),
        ("repeat()", "b = soften(image=_.x)", "W313", "nodes.z.body.nodes.b.inputs.image"),
        ("repeat()", "give(o=_.x)", "W313", "nodes.z.body.outputs.o"),
        ("repeat()", "b = nix()", "W101", "nodes.z.body.nodes.b"),
        ("for_each()", "w = whole()", "W301", "nodes.z.inputs.items"),
    ],
)
def test_mistakes_in_a_zone_are_said(checked, only, zone, body, code, place):
    found = checked(f"""
        s = source()
        a = add()
        g = gather(items=[w.integer])
        w = whole()
        with {zone} as z:
            {body}
    """)
    assert only(found, code).place == place


def test_a_zone_without_a_body_is_said(codes):
    assert "W108" in codes("z = repeat()")


def test_zones_in_subgraphs_read_the_inputs_of_the_subgraph(checked):
    found = checked("""
        def f(image: Image):
            with repeat() as z:
                b = soften(image=_.image)
                give(o=b.image)
            give(o=z.o)
            expose(r=z.b.radius)
        s = source()
        u = sub.f(image=s.image, r=9)
    """)
    assert found.ok
    inner = found.flat.steps[1].body.steps[0]
    assert (inner.id, inner.params) == ("u/z/b", {"radius": 9.0})


def test_zones_deep_in_each_other_are_refused(registry, only):
    inner = Graph({"s": Node("source")})
    for _ in range(3000):
        inner = Graph({"z": Node("repeat", body=inner)})
    found = check(Workflow(inner), registry)
    assert "3000 zones inside each other" in only(found, "W107").sentence
    assert check(Workflow(inner.nodes["z"].body), registry, caps=Caps(zone_depth=1)).flat is None


def test_zones_as_deep_as_allowed_are_quick_although_each_body_may_flow_twice(registry):
    inner = Graph({f"w{i}": Node("add") for i in range(50)})
    for _ in range(8):
        inner = Graph({"z": Node("repeat", body=inner)})
    assert len(check(Workflow(inner), registry).facts) == 58


def test_a_zone_whose_body_reads_what_is_left_out_is_left_out(checked):
    found = checked("""
        m = source(mode="mute")
        b = soften(image=m.image)
        with repeat() as z:
            c = soften(image=b.image)
            give(o=c.image)
    """)
    assert found.flat.steps == ()
    said = [d.sentence for d in found.diagnostics if d.code == "W310"]
    assert said == [f"{name} does not run, because m is muted." for name in ("b", "z")]


@pytest.mark.parametrize(("times", "width"), [(3, 20), (0, None)])
def test_a_repeat_that_may_make_no_turn_gives_what_is_true_either_way(checked, times, width):
    found = checked(f"""
        s = source(width=10)
        with repeat(carry={{"image": s.image}}, times={times}) as z:
            t = source(width=20)
            give(image=t.image)
    """)
    assert found.facts["z"]["image"].width == width


def test_a_carried_value_that_becomes_a_list_is_of_no_known_length(checked):
    found = checked("""
        a = add()
        with repeat(carry={"row": a.number}, times=3) as z:
            more = gather(items=[_.row, _.row])
            give(row=more.values)
    """)
    facts = found.facts["z"]["row"]
    assert (facts.is_list, facts.length) == (True, None)


@pytest.mark.parametrize("group", ["items", "carry"])
def test_a_zone_that_is_handed_a_muted_value_is_left_out(checked, only, group):
    found = checked(f"""
        d = digits()
        m = digits(mode="mute")
        with for_each({
        "items={'x': d.integers, 'y': m.integers}"
        if group == "items"
        else "items={'x': d.integers}, carry={'y': m.integers}"
    }) as z:
            s = total(numbers=_.y)
            give(y=s.number)
    """)
    assert [step.id for step in found.flat.steps] == ["d"]
    assert only(found, "W310").sentence == "z does not run, because m is muted."
