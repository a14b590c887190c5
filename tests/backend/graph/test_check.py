"""What a check says of a document, where, and how bad it is."""

from __future__ import annotations

import pytest

from backend.graph.caps import Caps
from backend.graph.check import check
from backend.graph.document import Graph, Node, Ref, Workflow
from backend.graph.flat import Wire

SAVED = """
    s = source()
    save = keep(image=s.image)
"""


def ids(found):
    return [step.id for step in found.flat.steps]


def test_a_healthy_document_becomes_steps_sources_first(checked):
    found = checked("""
        save = keep(image=s.image)
        b = soften(image=s.image)
        s = source()
    """)
    assert [d.code for d in found.diagnostics] == ["W402"]
    assert ids(found) == ["s", "save", "b"]
    assert found.flat.index == {"s": 0, "save": 1, "b": 2}
    assert found.flat.steps[1].inputs == {"image": Wire(0, "image")}
    assert found.flat.steps[1].params == {"note": ""}


def test_parameters_come_complete_and_in_one_form(checked):
    step = checked('k = kinds(tint="#ABC", seed=4.0)').flat.steps[0]
    assert step.params == {"tint": "#aabbcc", "seed": 4, "flag": True, "model": "primer"}
    assert type(step.params["seed"]) is int


@pytest.mark.parametrize(
    ("text", "code", "place", "sentence", "fix"),
    [
        (
            "s = sorce()",
            "W101",
            "nodes.s",
            "There is no node type 'sorce'.",
            "Did you mean source?",
        ),
        (
            "s = source(widht=3)",
            "W201",
            "nodes.s.params.widht",
            "Source has no parameter 'widht'.",
            "Did you mean width?",
        ),
        (
            "s = source(width=5000)",
            "W203",
            "nodes.s.params.width",
            "width of s is 5000, but must be from 1 to 4096.",
            "",
        ),
        (
            "b = soften()",
            "W301",
            "nodes.b.inputs.image",
            "image of b is not linked.",
            "Link an image to it.",
        ),
        (
            "s = source(); b = soften(image=s.image, picture=s.image)",
            "W302",
            "nodes.b.inputs.picture",
            "Soften has no input 'picture'.",
            "It has image, radius.",
        ),
        (
            "s = source(); b = soften(image=s.imag)",
            "W303",
            "nodes.b.inputs.image",
            "s has no output 'imag'.",
            "Did you mean image?",
        ),
        (
            "s = source(); b = soften(image=t.image)",
            "W304",
            "nodes.b.inputs.image",
            "There is no node 't' to link t.image from.",
            "",
        ),
        (
            "s = source(); d = decode(latent=s.image)",
            "W305",
            "nodes.d.inputs.latent",
            "latent of d takes a latent, and s.image gives an image.",
            "Put Encode between them.",
        ),
        (
            "s = source(); b = soften(image=[s.image, s.image])",
            "W306",
            "nodes.b.inputs.image",
            "image of b takes one link, and there are 2.",
            "Keep one, or join them in a list first.",
        ),
        (
            "a = add(); f = formula(values=a.number)",
            "W307",
            "nodes.f.inputs.values",
            "values of f takes links by name.",
            'Write {"name": "node.output"}.',
        ),
        (
            's = source(); b = soften(image={"x": s.image})',
            "W307",
            "nodes.b.inputs.image",
            "image of b takes no links by name.",
            'Write "node.output".',
        ),
        (
            "y = yes(); k = kinds(model=y.boolean)",
            "W207",
            "nodes.k.inputs.model",
            "model of k takes no link.",
            "Set its value instead.",
        ),
        (
            "with source() as x:\n    s = source()",
            "W109",
            "nodes.x",
            "x has a body, but source runs none.",
            "Take the body out.",
        ),
    ],
)
def test_a_mistake_is_said_with_place_and_fix(checked, only, text, code, place, sentence, fix):
    found = checked(text)
    said = only(found, code)
    assert (said.place, said.sentence, said.fix, said.level) == (place, sentence, fix, "error")
    assert found.flat is None
    assert not found.ok


def test_a_cycle_is_said_with_its_path(checked, only):
    found = checked("""
        a = soften(image=c.image)
        b = soften(image=a.image)
        c = soften(image=b.image)
        after = soften(image=a.image)
    """)
    assert only(found, "W308").sentence == "These nodes wait for each other: a -> b -> c -> a."


def test_a_node_that_feeds_itself_is_a_cycle(codes):
    assert "W308" in codes("a = soften(image=a.image)")


def test_bypassed_nodes_that_pass_to_each_other_are_a_cycle(codes):
    assert "W308" in codes("""
        a = soften(image=b.image, mode="bypass")
        b = soften(image=a.image, mode="bypass")
        save = keep(image=a.image)
    """)


class TestMuteAndBypass:
    def test_what_needs_a_muted_node_is_left_out(self, checked):
        found = checked("""
            s = source(mode="mute")
            b = soften(image=s.image)
            save = keep(image=b.image)
            t = source()
            other = keep(image=t.image)
        """)
        assert found.ok
        assert ids(found) == ["t", "other"]
        assert [d.sentence for d in found.diagnostics if d.code == "W310"] == [
            "b does not run, because s is muted.",
            "save does not run, because s is muted.",
        ]

    def test_an_open_input_reads_a_muted_node_as_not_linked(self, checked):
        found = checked("""
            s = source()
            m = source(mode="mute")
            c = choose(first=s.image, second=m.image)
            j = join(images=[m.image, s.image])
        """)
        assert found.ok
        assert list(found.flat.steps[1].inputs) == ["first"]
        assert found.flat.steps[2].inputs["images"] == (Wire(0, "image"),)

    def test_a_muted_node_of_an_unknown_type_is_no_error(self, checked):
        assert checked('x = unheard_of(mode="mute")').ok

    def test_a_bypassed_node_passes_the_first_input_that_fits(self, checked):
        found = checked("""
            s = source()
            b = soften(image=s.image, mode="bypass")
            save = keep(image=b.image)
        """)
        assert ids(found) == ["s", "save"]
        assert found.flat.steps[1].inputs == {"image": Wire(0, "image")}

    def test_a_bypassed_node_without_a_fitting_input_is_said(self, checked, only):
        found = checked("""
            s = source()
            e = encode(image=s.image)
            d = decode(latent=e.latent, mode="bypass")
            save = keep(image=d.image)
        """)
        assert "Nothing fits through d" in only(found, "W309").sentence

    def test_a_long_row_of_bypassed_nodes_is_resolved(self, registry):
        nodes = {"n0": Node("source")}
        for i in range(1, 5000):
            before = {"image": Ref(f"n{i - 1}", "image")}
            nodes[f"n{i}"] = Node("soften", inputs=before, mode="bypass")
            nodes[f"k{i}"] = Node("keep", inputs={"image": Ref(f"n{i}", "image")})
        found = check(Workflow(Graph(dict(reversed(nodes.items())))), registry)
        assert len(found.flat.steps) == 5000


class TestWhatIsWanted:
    BROKEN = SAVED + "    bad = nix(image=s.image)"

    def test_an_error_off_the_way_becomes_a_warning(self, checked, only):
        found = checked(self.BROKEN, wanted=["save"])
        assert only(found, "W101").level == "warning"
        assert ids(found) == ["s", "save"]

    def test_an_error_on_the_way_stays_one(self, checked):
        assert not checked(self.BROKEN, wanted=["bad"]).ok

    def test_what_an_error_spoils_is_left_out_and_the_rest_renumbered(self, checked):
        found = checked("bad = nix(); s = source(); b = soften(image=bad.image)\n"
                        "save = keep(image=s.image)", wanted=["save"])  # fmt: skip
        assert ids(found) == ["s", "save"]
        assert found.flat.steps[1].inputs == {"image": Wire(0, "image")}
        assert found.flat.index == {"s": 0, "save": 1}

    def test_a_cycle_off_the_way_does_not_disturb(self, checked):
        found = checked(
            SAVED
            + """
    a = soften(image=b.image)
    b = soften(image=a.image)
    c = keep(image=a.image)
    """,
            wanted=["save"],
        )
        assert ids(found) == ["s", "save"]

    def test_wanted_nodes_that_are_not_there_or_muted_are_said(self, checked, only):
        assert only(checked(SAVED, ["sav"]), "W403").fix == "Did you mean save?"
        muted = checked(SAVED + '    m = source(mode="mute")', ["m"])
        assert "muted" in only(muted, "W404").sentence

    def test_a_healthy_graph_is_the_same_whatever_is_wanted(self, checked):
        assert checked(SAVED, ["s"]).flat == checked(SAVED).flat


def test_a_graph_that_saves_nothing_is_said(checked, only):
    assert only(checked("s = source()"), "W401").level == "warning"
    assert checked(SAVED).diagnostics == ()


def test_a_listed_model_that_no_node_names_is_said(checked, only):
    found = checked('k = kinds(model="one")', models=[{"name": "one"}, {"name": "two"}])
    assert only(found, "W405").place == "models.1"


def test_exposed_parameters_must_exist(checked):
    expose = {
        "a": {"node": "s", "param": "width"},
        "b": {"node": "s", "param": "nix"},
        "c": {"node": "t", "param": "width"},
    }
    found = checked(SAVED, expose=expose)
    assert [d.place for d in found.diagnostics if d.code == "W208"] == ["expose.b", "expose.c"]
    assert found.ok


def test_unknown_fields_are_said_and_do_not_stop_a_run(checked):
    found = checked(SAVED, zzz="me", expose={"a": {"node": "s", "param": "width", "lable": "A"}})
    said = [(d.place, d.fix) for d in found.diagnostics if d.code == "W406"]
    assert said == [("zzz", ""), ("expose.a.lable", "Did you mean label?")]
    assert found.ok


class TestVersions:
    def test_an_older_node_is_lifted_step_by_step(self, checked, only):
        found = checked("s = source(); a = aged(picture=s.image, zoom=2, version=1)")
        assert only(found, "W103").level == "info"
        step = found.flat.steps[1]
        assert (step.version, step.params) == (3, {"size": 2.0})
        assert step.inputs == {"image": Wire(0, "image")}

    def test_a_newer_node_is_refused(self, checked, only):
        found = checked("s = source(); a = aged(image=s.image, version=9)")
        assert "version 9" in only(found, "W102").sentence

    def test_a_migration_that_fails_is_said(self, checked, only):
        assert "'picture'" in only(checked("a = aged(version=1)"), "W104").sentence


class TestHooks:
    def test_what_a_hook_refuses_is_an_error_at_the_node(self, checked, only):
        found = checked("""
            s = source()
            e = encode(image=s.image, space="b")
            d = decode(latent=e.latent)
        """)
        said = only(found, "W601")
        assert said.place == "nodes.d"
        assert said.sentence == "d: The latent is of space b, and this takes a."

    @pytest.mark.parametrize("kind", ["stumble", "lie"])
    def test_a_hook_that_fails_is_a_warning_and_nothing_is_known(self, checked, only, kind):
        found = checked(f"x = {kind}(); save = keep(image=x.image)")
        assert only(found, "W602").level == "warning"
        assert found.ok
        assert found.facts["x"]["image"].width is None


def test_the_same_thing_is_not_said_twice(checked, only):
    found = checked("""
        def f():
            b = nix()
            give(o=b.o)
        u = sub.f()
        v = sub.f()
    """)
    assert only(found, "W101").place == "subgraphs.f.nodes.b"


def test_caps_are_the_callers(codes):
    assert "W107" in codes(SAVED, caps=Caps(nodes=1))
    assert "W107" not in codes(SAVED, caps=Caps(nodes=2))


def test_what_may_have_been_meant_is_guessed_only_so_often(registry):
    nodes = {f"n{i}": Node("soften", inputs={"image": Ref(f"m{i}", "image")}) for i in range(2000)}
    found = check(Workflow(Graph(nodes)), registry)
    missing = [d for d in found.diagnostics if d.code == "W304"]
    assert len(missing) == 2000
    assert 0 < len([d for d in missing if d.fix]) <= 50


def test_what_a_stranger_wrote_stands_on_one_line(checked):
    found = checked("s = source()", **{"zzz\n\x1b[31m": 1, "y" * 5000: 1})
    assert found.diagnostics
    for said in found.diagnostics:
        for text in (said.place, said.sentence, said.fix):
            assert text.isprintable()
            assert len(text) <= 1000
