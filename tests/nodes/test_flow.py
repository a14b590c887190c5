"""The flow nodes: which branch is asked for, what comes out, and what a zone declares."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.graph.facts import facts_of
from backend.sdk import UserError
from nodes import flow as nodes


class StillContext:
    """These nodes ask nothing of their context."""


CTX = StillContext()
SMALL = facts_of("Image", width=8, height=8)
LARGE = facts_of("Image", width=64, height=8)


def flow_facts_for(node: Any, params: dict[str, Any], **inputs: Any) -> Any:
    return node.hooks["facts"](SimpleNamespace(**params), **inputs)


def run_lazily(node: Any, params: dict[str, Any], linked: dict[str, Any]) -> tuple[Any, set[str]]:
    """Run a lazy node as an engine does; its result and the inputs that it had computed."""
    known: dict[str, Any] = {}
    while True:
        wanted = node.hooks["needs"](SimpleNamespace(**params), known)
        new = (wanted & set(linked)) - set(known)
        if not new:
            break
        known.update({name: linked[name] for name in new})
    row = [known.get(name) for name in linked if "." in name]
    plain = {name: known.get(name) for name in linked if "." not in name}
    return node(CTX, *row, **plain, **params), set(known)


@given(st.booleans(), st.integers(), st.integers())
def test_switch_gives_one_branch_and_asks_for_no_other(which: bool, yes: int, no: int) -> None:
    result, computed = run_lazily(nodes.switch, {"which": which}, {"yes": yes, "no": no})
    assert result == (yes if which else no)
    assert computed == ({"yes"} if which else {"no"})


def test_switch_knows_what_both_branches_share_until_the_choice_is_known() -> None:
    assert flow_facts_for(nodes.switch, {"which": True}, yes=LARGE, no=SMALL).width == 64
    assert flow_facts_for(nodes.switch, {"which": False}, yes=LARGE, no=SMALL).width == 8
    either = flow_facts_for(nodes.switch, {"which": None}, yes=LARGE, no=SMALL)
    assert (either.width, either.height) == (None, 8)


@given(st.lists(st.integers(), min_size=1, max_size=5), st.data())
def test_select_gives_the_chosen_value_and_asks_for_no_other(
    values: list[int], data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(values) - 1))
    linked = {f"choices.{i}": value for i, value in enumerate(values)}
    result, computed = run_lazily(nodes.select, {"index": index}, linked)
    assert result == values[index]
    assert computed == {f"choices.{index}"}


@pytest.mark.parametrize(("count", "says"), [(0, "Nothing is linked"), (2, "no choice 5")])
def test_select_refuses_a_choice_that_is_not_there(count: int, says: str) -> None:
    linked = {f"choices.{i}": i for i in range(count)}
    with pytest.raises(UserError, match=says):
        run_lazily(nodes.select, {"index": 5}, linked)


def test_select_facts() -> None:
    choices = (SMALL, LARGE)
    assert flow_facts_for(nodes.select, {"index": 1}, choices=choices).width == 64
    assert flow_facts_for(nodes.select, {"index": None}, choices=choices).width is None
    with pytest.raises(UserError, match="no choice 2"):
        flow_facts_for(nodes.select, {"index": 2}, choices=choices)
    assert flow_facts_for(nodes.select, {"index": 0}, choices=()).type == "*T"


def test_show_passes_everything_through() -> None:
    value = object()
    assert nodes.show(CTX, value) is value
    assert flow_facts_for(nodes.show, {}, value=SMALL) is SMALL
    assert nodes.show.spec.effect  # so a run is for it, as for a preview


def test_zones_declare_their_named_sockets_and_are_not_called() -> None:
    for zone in (nodes.for_each, nodes.repeat):
        assert zone.spec.zone
        assert zone.spec.outputs == ()
        with pytest.raises(UserError, match="run by the engine"):
            zone(CTX, {})
    items = nodes.for_each.spec.input("items")
    assert items is not None
    assert (items.arity, items.optional) == ("named", False)
    carry = nodes.repeat.spec.input("carry")
    assert carry is not None
    assert (carry.arity, carry.optional) == ("named", True)
    times = nodes.repeat.spec.param("times")
    assert times is not None
    assert (times.minimum, times.maximum) == (0, 10_000)
