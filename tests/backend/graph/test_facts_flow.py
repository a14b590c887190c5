"""Facts, conversions and list lengths along the graph."""

from __future__ import annotations

import pytest

from backend.graph.caps import Caps
from backend.graph.flat import Wire


def test_facts_are_known_far_from_where_they_began(checked):
    found = checked("""
        s = source(width=10)
        w = widen(image=s.image, by=3)
        b = soften(image=w.image)
    """)
    facts = found.facts["b"]["image"]
    assert (facts.width, facts.height, facts.channels) == (30, 4, 3)


def test_without_a_hook_the_types_are_known(checked):
    facts = checked("s = source(); p = split(image=s.image)").facts["p"]
    assert {name: f.type for name, f in facts.items()} == {"left": "Image", "share": "Number"}


def test_generic_outputs_take_the_type_that_is_linked(checked):
    found = checked("s = source(); c = choose(first=s.image, second=s.image)")
    assert found.facts["c"]["value"].type == "Image"


def test_generic_inputs_must_agree(checked):
    found = checked("s = source(); w = whole(); c = choose(first=s.image, second=w.integer)")
    assert [d.code for d in found.diagnostics if d.level == "error"] == ["W305"]


def test_a_known_value_feeds_a_parameter(checked):
    found = checked("""
        s = source(width=10)
        w = whole(value=4)
        x = add(a=w.integer, b=0.5)
        i = widen(image=s.image, by=w.integer)
    """)
    assert found.facts["x"]["number"].value == 4.5
    assert found.facts["i"]["image"].width == 40
    assert found.flat.steps[2].inputs == {"a": Wire(1, "integer", "Integer->Number")}


def test_an_unknown_value_leaves_a_parameter_unknown(checked):
    found = checked("f = formula(); x = add(a=f.number)")
    assert found.facts["x"]["number"].value is None


def test_a_known_value_that_is_out_of_range_is_said(codes):
    assert "W203" in codes("w = whole(value=5000); s = source(width=w.integer)")


def test_masks_become_grey_images(checked):
    found = checked("m = cover(); b = soften(image=m.mask)")
    assert found.ok
    assert found.flat.steps[1].inputs["image"].convert == "Mask->Image"
    assert found.facts["b"]["image"].channels == 1


def test_links_by_name_are_wires_by_name(checked):
    found = checked('w = whole(); a = add(); f = formula(values={"x": a.number, "n": w.integer})')
    assert found.flat.steps[2].inputs["values"] == {
        "x": Wire(1, "number"),
        "n": Wire(0, "integer", "Integer->Number"),
    }


class TestLists:
    def test_a_list_maps_a_plain_node(self, checked):
        found = checked("d = digits(count=3); x = add(a=d.integers)")
        facts = found.facts["x"]["number"]
        assert (facts.type, facts.is_list, facts.length) == ("Number", True, 3)

    def test_a_list_input_takes_it_as_a_whole(self, checked):
        found = checked("d = digits(); t = total(numbers=d.integers)")
        assert not found.facts["t"]["number"].is_list

    def test_a_single_value_is_a_list_of_one(self, checked):
        assert checked("w = whole(); t = total(numbers=w.integer)").ok

    def test_lists_of_different_length_are_refused(self, checked, only):
        found = checked("""
            d = digits(count=3)
            e = digits(count=4)
            x = add(a=d.integers, b=e.integers)
        """)
        assert only(found, "W311").sentence.endswith("differ in length: a has 3, b has 4.")

    @pytest.mark.parametrize(
        ("each", "first", "length"), [("repeat", 3, 4), ("product", 3, 12), ("repeat", 0, 0)]
    )
    def test_the_user_says_how_lists_meet(self, checked, each, first, length):
        found = checked(f"""
            d = digits(count={first})
            e = digits(count=4)
            x = add(a=d.integers, b=e.integers, each="{each}")
        """)
        assert found.facts["x"]["number"].length == length

    def test_a_product_beyond_the_cap_is_refused(self, codes):
        text = """
            d = digits(count=30)
            e = digits(count=40)
            x = add(a=d.integers, b=e.integers, each="product")
        """
        assert "W312" in codes(text, caps=Caps(list_items=1199))
        assert "W312" not in codes(text, caps=Caps(list_items=1200))

    def test_a_list_is_spread_over_a_growing_row(self, checked):
        found = checked("""
            d = digits(count=3)
            s = source(width=d.integers)
            j = join(images=[s.image, s.image])
        """)
        facts = found.facts["j"]["image"]
        assert (facts.count, facts.is_list) == (6, False)

    def test_a_mapped_node_that_makes_lists_gives_one_list(self, checked):
        found = checked("d = digits(); e = digits(count=d.integers)")
        facts = found.facts["e"]["integers"]
        assert (facts.is_list, facts.length) == (True, None)


class TestListsIntoLazyNodes:
    """A lazy node chooses among its links, so only the lists that it chooses count."""

    LISTS = "a = digits(count=3); b = digits(count=2); w = whole(); "

    @pytest.mark.parametrize(("index", "length"), [(0, 3), (1, 2)])
    def test_a_chosen_list_maps_the_node_and_others_may_differ(self, checked, index, length):
        found = checked(
            self.LISTS + f"p = pick_one(choices=[a.integers, b.integers], index={index})"
        )
        assert found.ok
        facts = found.facts["p"]["value"]
        assert (facts.is_list, facts.length) == (True, length)

    def test_a_chosen_single_value_stays_one(self, checked):
        found = checked(self.LISTS + "p = pick_one(choices=[a.integers, w.integer], index=1)")
        assert not found.facts["p"]["value"].is_list

    def test_where_the_choice_is_open_the_length_is_too(self, checked):
        found = checked(
            self.LISTS
            + "o = choose(first=w.integer)\n"
            + "p = pick_one(choices=[a.integers, b.integers], index=o.value)"
        )
        assert found.ok
        assert found.facts["p"]["value"].length is None
