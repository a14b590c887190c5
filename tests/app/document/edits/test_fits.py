"""What a pulled link fits, and what is said where it does not."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.document.difference import Difference, compared
from app.document.edits.bridge import Bridges, Step
from app.document.edits.cycles import Reads, would_cycle
from app.document.edits.fits import Pull, bridge_words, types_for_input, types_for_output
from app.document.edits.kinds import input_end, output_end
from app.document.level import links
from backend.graph.document import Graph, Node, Ref, Workflow
from backend.graph.format import parse

TEXT = """{
  "weft": 1,
  "nodes": {
    "photo": {"type": "load_image", "version": 1},
    "folder": {"type": "image_folder", "version": 1},
    "model": {"type": "load_model", "version": 1},
    "sample": {"type": "sample", "version": 1},
    "which": {"type": "switch", "version": 1, "inputs": {"yes": "photo.image"}},
    "loop": {
      "type": "for_each",
      "version": 1,
      "inputs": {"items": {"one": "folder.images"}, "carry": {"last": "which.value"}},
      "body": {
        "nodes": {"soften": {"type": "blur", "version": 1, "inputs": {"image": "$.one"}}},
        "outputs": {"all": "soften.image", "last": "$.last", "turn": "$.index"}
      }
    },
    "save": {"type": "save_image", "version": 1, "inputs": {"image": "loop.last"}}
  }
}"""


@pytest.fixture
def document():
    return parse(TEXT, "here")


@pytest.fixture(scope="module")
def bridges(specs):
    return Bridges(specs)


def test_types_are_followed_through_generic_nodes_and_zones(document, spec_of) -> None:
    def told(path, output):
        end = output_end(document, "", path, output, spec_of)
        return end.type, end.arity

    assert told("which", "value") == ("Image", "one")
    assert told("loop/$", "one") == ("Image", "one")
    assert told("loop", "all") == ("Image", "list")
    assert told("loop", "last") == ("Image", "one")
    assert told("loop", "turn") == ("Integer", "list")
    assert told("none", "image") == ("*", "one")
    assert input_end(document, "", "which", "no", spec_of).type == "Image"
    assert input_end(document, "", "which", "yes", spec_of).type == "*T"
    assert input_end(document, "", "loop", "items", spec_of).type == "*T"
    assert input_end(document, "", "model", "model", spec_of) is None
    assert input_end(document, "", "sample", "cfg", spec_of).type == "Number"


def test_a_pulled_output_fits_what_reads_its_type(document, spec_of) -> None:
    pull = Pull(document, "", "photo", "image", True, spec_of)
    assert pull.fits("save", "image")
    assert pull.fits("loop/soften", "image")
    assert pull.fits("which", "no")
    assert not pull.fits("sample", "latent")
    assert not pull.fits("photo", "file")
    mask = Pull(document, "", "photo", "mask", True, spec_of)
    assert mask.fits("save", "image")  # converted
    assert not Pull(document, "", "loop", "all", True, spec_of).fits("loop/soften", "image")


def test_a_pulled_input_fits_what_gives_its_type(document, spec_of) -> None:
    pull = Pull(document, "", "which", "no", False, spec_of)
    assert pull.fits("photo", "image")
    assert not pull.fits("sample", "latent")
    assert not pull.fits("loop", "last")  # it already needs the switch
    assert not pull.fits("loop/soften", "image")


def test_what_does_not_fit_is_told_with_a_bridge(document, spec_of, bridges, specs) -> None:
    refusal = Pull(document, "", "sample", "latent", True, spec_of).refusal(
        "save", "image", bridges
    )
    assert refusal.sentence == "Save image reads an Image. Sample gives a Latent."
    assert refusal.bridge == (Step("vae_decode", "latent", "image"),)
    assert bridge_words(refusal.bridge, specs) == "VAE decode turns it into one."
    pull = Pull(document, "", "loop", "last", True, spec_of)
    assert "already needs" in pull.refusal("which", "no", bridges).sentence
    assert pull.refusal("save", "image", bridges) is None


@pytest.mark.parametrize(
    ("given", "wanted", "chain"),
    [
        ("Latent", "Image", ["vae_decode"]),
        ("Image", "Latent", ["vae_encode"]),
        ("Text", "Conditioning", ["encode_text"]),
        ("Number", "Integer", ["round_number"]),
        ("Image", "Mask", ["mask_from_image"]),
        ("Latent", "Mask", ["vae_decode", "mask_from_image"]),
        ("Image", "Video", ["images_to_video"]),
        ("Solver", "Audio", []),
    ],
)
def test_the_plainest_bridge_is_found(bridges, given, wanted, chain) -> None:
    assert [step.type for step in bridges.between(given, wanted)] == chain


def test_node_types_are_offered_with_the_socket_that_fits(specs) -> None:
    offered = {fit.type: fit for fit in types_for_output(specs, "Latent")}
    assert offered["vae_decode"].socket == "latent"
    assert offered["show"].rank == 3
    assert "blur" not in offered
    offered = {fit.type: fit for fit in types_for_input(specs, "Image")}
    assert offered["vae_decode"].socket == "image"
    assert offered["shape_mask"].rank == 1
    assert "text" not in offered
    numbers = {fit.type: fit for fit in types_for_output(specs, "Number")}
    assert numbers["blur"] == (2, "blur", "radius")


graphs = st.dictionaries(
    st.sampled_from("abcdefgh"), st.sets(st.sampled_from("abcdefgh"), max_size=3), min_size=2
)


@given(graphs, st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh"))
def test_a_circle_is_what_a_plain_search_finds(feeds, source, target) -> None:
    graph = Graph(
        {
            name: Node("make_list", inputs={"items": tuple(Ref(s, "values") for s in sources)})
            for name, sources in feeds.items()
        }
    )
    reached, todo = set(), [source]
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            todo += feeds.get(name, ())
    expected = source == target or (source in feeds and target in feeds and target in reached)
    known = Reads()
    assert would_cycle(graph, source, target) == expected
    assert would_cycle(graph, source, target, known) == would_cycle(graph, source, target, known)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef")), max_size=24))
def test_what_is_remembered_stays_true_while_links_come_and_go(steps) -> None:
    known, nodes = Reads(), {name: Node("make_list") for name in "abcdef"}
    for source, target in steps:
        graph = Graph(MappingProxyType(nodes))
        answer = would_cycle(graph, source, target)
        assert would_cycle(graph, source, target, known) == answer
        old = nodes[target].inputs.get("items", ())
        kept = tuple(ref for ref in old if ref.node != source)
        if len(kept) == len(old) and not answer:
            kept = (*old, Ref(source, "values"))
        nodes = {**nodes, target: Node("make_list", inputs={"items": kept})}


def chain(count: int) -> Workflow:
    nodes = {"n0": Node("load_image")}
    for i in range(1, count):
        nodes[f"n{i}"] = Node("blur", inputs={"image": Ref(f"n{i - 1}", "image")})
    return Workflow(Graph(MappingProxyType(nodes)))


def test_a_circle_is_found_at_once_in_two_thousand_nodes(specs, spec_of) -> None:
    workflow = chain(2000)
    known = Reads()
    assert would_cycle(workflow.graph, "n1999", "n0", known)
    best = 1.0
    for _ in range(10):
        begin = time.perf_counter()
        assert would_cycle(workflow.graph, "n1999", "n0", known)
        best = min(best, time.perf_counter() - begin)
    assert best < 0.002, f"{best * 1000:.2f} ms"  # 0.2 ms on a machine of its own
    pull = Pull(workflow, "", "n1000", "image", True, spec_of, known)
    fitting = sum(pull.fits(link.target, link.input) for link in links(workflow.graph))
    assert fitting == 999


@given(st.data())
def test_the_order_that_is_kept_never_tells_a_falsehood(data) -> None:
    """Nodes come, go and are linked anew; what is said to stand before never needs what follows,
    whether what changed is told or found."""
    names, known, told = "abcdefgh", Reads(), Reads()
    seen: Mapping[str, Node] = {}
    nodes = {name: Node("make_list") for name in names[:4]}
    for _ in range(data.draw(st.integers(1, 12))):
        name = data.draw(st.sampled_from(names))
        if name in nodes and data.draw(st.integers(0, 4)) == 0:
            del nodes[name]  # those that read it do so still, as a file may say
        else:
            read = data.draw(st.lists(st.sampled_from(names), max_size=3, unique=True))
            refs = tuple(Ref(source, "list") for source in read)
            nodes = {**nodes, name: Node("make_list", inputs=MappingProxyType({"items": refs}))}
        graph = Graph(MappingProxyType(dict(nodes)))
        told.follow(graph, Difference(seen, graph.nodes, *compared(seen, graph.nodes)))
        seen = graph.nodes
        circle = any(name in known.of(graph, name) for name in nodes)
        for first in nodes:
            needed = Reads().upstream(graph, first) - {first}
            circle = circle or any(first in Reads().upstream(graph, each) for each in needed)
            for other in nodes:
                if known.is_before(graph, first, other) or told.is_before(graph, first, other):
                    assert other not in needed
        if not circle:
            assert all(
                known.is_before(graph, source, name) and told.is_before(graph, source, name)
                for name in nodes
                for source in known.of(graph, name)
                if source in nodes and source != name
            )
