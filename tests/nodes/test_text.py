"""The text nodes, called as the plain functions they are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.graph.facts import Facts, facts_of
from backend.sdk import Cancelled, UserError
from nodes import text as nodes


class QuietContext:
    """A context that only counts how often it is asked whether to go on."""

    def __init__(self, cancelled: bool = False) -> None:
        self.asked = 0
        self.cancelled = cancelled

    def check(self) -> None:
        self.asked += 1
        if self.cancelled:
            raise Cancelled


CTX = QuietContext()


def known_text(value: str | None) -> Facts:
    return facts_of("Text", value=value)


def facts_for(node: Any, /, params: dict[str, Any], **inputs: Any) -> Any:
    """What a node's facts hook says, with the node's defaults for parameters not given."""
    defaults = {p.name: p.default for p in node.spec.params}
    return node.hooks["facts"](SimpleNamespace(**{**defaults, **params}), **inputs)


def test_text_gives_its_value() -> None:
    assert nodes.text(CTX, "a\nb") == "a\nb"
    assert facts_for(nodes.text, {"value": "a"}).value == "a"


def test_template_fills_in_values() -> None:
    values = {"color": "red", "n": "7"}
    template = "a {color} circle, take {n:03}"
    assert nodes.template(CTX, values, template) == "a red circle, take 007"
    assert nodes.template(CTX, template="plain {{}}") == "plain {}"
    with pytest.raises(UserError, match="no value is called shape; there are color, n"):
        nodes.template(CTX, values, "{shape}")


def test_template_is_checked_and_filled_before_the_run() -> None:
    facts = facts_for(
        nodes.template, {"template": "a {color}"}, values={"color": known_text("red")}
    )
    assert facts.value == "a red"
    open_facts = {"color": known_text(None)}
    assert facts_for(nodes.template, {"template": "{color}"}, values=open_facts).value is None
    with pytest.raises(UserError, match="no value is called shape"):
        facts_for(nodes.template, {"template": "{shape}"}, values=open_facts)
    with pytest.raises(UserError, match="not closed"):
        facts_for(nodes.template, {"template": "{color"}, values={})


def test_regex_match_gives_the_first_match_its_groups_and_all_matches() -> None:
    found = nodes.regex_match(CTX, "640x480 or 32x16", r"(\d+)x(\d+)")
    assert found == (True, "640x480", ["640", "480"], ["640x480", "32x16"])
    assert nodes.regex_match(CTX, "nothing", r"(\d+)") == (False, "", [], [])
    assert nodes.regex_match(CTX, "RED", "red", ignore_case=True).matched


def test_regex_match_is_checked_before_the_run() -> None:
    facts = facts_for(nodes.regex_match, {"pattern": "a+"}, text=known_text(None))
    assert facts["groups"].length == 0
    assert facts_for(nodes.regex_match, {"pattern": None}, text=known_text(None))["all"].is_list
    with pytest.raises(UserError, match="looking ahead"):
        facts_for(nodes.regex_match, {"pattern": "a(?=b)"}, text=known_text(None))


def test_regex_replace_replaces() -> None:
    assert nodes.regex_replace(CTX, "a red cat", r"(\w+) cat", r"\1 dog") == "a red dog"
    assert nodes.regex_replace(CTX, "aaa", "a", "b", count=2) == "bba"
    with pytest.raises(UserError, match="groups 0 to 0"):
        facts_for(
            nodes.regex_replace, {"pattern": "a", "replacement": r"\1"}, text=known_text(None)
        )


def test_regex_nodes_stop_when_the_run_is_cancelled() -> None:
    with pytest.raises(Cancelled):
        nodes.regex_match(QuietContext(cancelled=True), "aaa", "a")
    with pytest.raises(Cancelled):
        nodes.regex_replace(QuietContext(cancelled=True), "aaa", "a", "b")


def test_join_text_joins() -> None:
    assert nodes.join_text(CTX, ["red", "green"]) == "red, green"
    assert nodes.join_text(CTX, ["a", "b"], by="lines") == "a\nb"
    assert nodes.join_text(CTX, []) == ""
    with pytest.raises(UserError, match="at most 1000000"):
        nodes.join_text(CTX, ["a"] * 1001, separator="b" * 1000)


@pytest.mark.parametrize(
    ("text", "settings", "parts"),
    [
        ("one\n two \n\nthree", {}, ["one", "two", "three"]),
        ("one\n two \n", {"trim": False}, ["one", " two "]),
        ("a,,b", {"by": "separator", "skip_empty": False}, ["a", "", "b"]),
        ("a b  c", {"by": "words"}, ["a", "b", "c"]),
        ("", {}, []),
    ],
)
def test_split_text_splits(text: str, settings: dict[str, Any], parts: list[str]) -> None:
    assert nodes.split_text(CTX, text, **settings) == parts
    assert facts_for(nodes.split_text, settings, text=known_text(text)).length == len(parts)


def test_split_text_refuses_too_many_parts_and_no_separator() -> None:
    with pytest.raises(UserError, match="no separator"):
        nodes.split_text(CTX, "a", by="separator", separator="")
    with pytest.raises(UserError, match="at most 100000"):
        nodes.split_text(CTX, "a " * 100_001, by="words")


@given(st.lists(st.text("abc é", max_size=5), min_size=1, max_size=8))
def test_split_undoes_join(parts: list[str]) -> None:
    joined = nodes.join_text(CTX, parts, separator=";")
    settings = {"by": "separator", "separator": ";", "trim": False, "skip_empty": False}
    assert nodes.split_text(CTX, joined, **settings) == parts


def test_change_case() -> None:
    assert nodes.change_case(CTX, "a RED circle", "sentence") == "A red circle"
    assert nodes.change_case(CTX, "it's a dog", "title") == "It's A Dog"
    assert nodes.change_case(CTX, "Red", "upper") == "RED"
    assert facts_for(nodes.change_case, {"case": "lower"}, text=known_text("Red")).value == "red"
    assert facts_for(nodes.change_case, {"case": None}, text=known_text("Red")).value is None


def test_trim_text() -> None:
    assert nodes.trim_text(CTX, "  a  red \n") == "a  red"
    assert nodes.trim_text(CTX, "  a  red \n", inside=True) == "a red"
    assert facts_for(nodes.trim_text, {}, text=known_text(" a ")).value == "a"
