"""What people type for parameters: which one a name means, and what value a text is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.graph.document import Exposed, Graph, Node, Workflow
from backend.graph.near import near
from backend.graph.spec import NodeSpec, Param
from backend.graph.typed import Files, Untypable, find_param, read_value, setting_at

SPECS = {
    "load": NodeSpec(
        "load", 1, "Load", "Image", "",
        params=(Param("file", "file", ""), Param("model", "model", "")),
    )
}  # fmt: skip
FLOW = Workflow(
    Graph({"photo": Node("load"), "loop": Node("repeat", body=Graph({"in": Node("load")}))}),
    expose={"picture": Exposed("photo", "file")},
)


def test_a_name_is_an_exposed_parameter_or_a_path_to_one():
    assert find_param(FLOW, SPECS, "picture").path == ("photo",)
    assert find_param(FLOW, SPECS, "loop/in.file").path == ("loop", "in")
    with pytest.raises(Untypable, match=r"there is no node up in loop") as wrong:
        find_param(FLOW, SPECS, "loop/up.file")
    assert wrong.value.name == "loop/up.file"
    assert near("blr", ["blur", "blend"]) == " Did you mean blur?"


def test_a_path_is_looked_for_here_and_written_as_the_workflow_names_it(tmp_path):
    base, here = tmp_path / "flows", tmp_path / "here"
    for folder in (base, here):
        folder.mkdir()
    (base / "a.png").touch()
    (here / "b.png").touch()
    (here / "primer").touch()

    def said(text, param="photo.file", start=here):
        files = Files(start, base, ("primer",))
        setting = setting_at(find_param(FLOW, SPECS, param), text, param, files)
        return setting.value, setting.file

    assert said("b.png") == ((here / "b.png").as_posix(), here / "b.png")
    assert said("a.png", start=base) == ("a.png", base / "a.png")
    assert said("a.png") == (
        "a.png",
        None,
    )  # as it stands; whoever reads it says if it is not there
    assert said("primer", "photo.model") == ("primer", None)
    assert said("a\0b") == ("a\0b", None)


@pytest.mark.parametrize("text", ["true", "YES", "on", "1"])
def test_booleans_are_words(text):
    assert read_value(Param("x", "boolean", False), text, "n.x") is True


@pytest.mark.parametrize("text", ["[1, [2]]", "[NaN]", "{}", "1", "[" * 9000, "[1,"])
def test_a_list_of_values_is_json_of_scalars(text):
    kind = Param("x", "values", ())
    assert read_value(kind, '[1, 2.5, "a"]', "n.x") == [1, 2.5, "a"]
    with pytest.raises(Untypable):
        read_value(kind, text, "n.x")


@given(st.text(max_size=20), st.sampled_from(["number", "integer", "seed", "values", "color"]))
def test_any_text_gives_a_value_or_a_sentence(text, kind):
    limits = Param("x", kind, 0, 0.0, 10.0)
    try:
        value = read_value(limits, text, "n.x")
    except Untypable as wrong:
        value = wrong.said
        assert wrong.name == "n.x"  # noqa: PT017 - either is right, but it has to say where
    assert value is not None
