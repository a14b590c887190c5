"""``weft nodes``, ``info``, ``schema`` and ``doctor``."""

from __future__ import annotations

import json

import jsonschema
import pytest

from backend.cli.doctor import _satisfies
from backend.cli.errors import FAILED, USAGE
from backend.cli.places import examples

SAVE = {"type": "save_image", "inputs": {"image": "picture.image"}}
PICTURE = {"type": "solid_image", "params": {"width": 8, "height": 8}}


def test_nodes_lists_every_type_and_json_gives_its_whole_spec(weft):
    listed = weft("nodes").out
    specs = {spec["type"]: spec for spec in weft("nodes", "--json").events}
    assert len(specs) >= 30
    assert all(f"  {name} " in listed for name in specs)
    assert all(spec["help"] and "Example" in spec["help"] for spec in specs.values())


def test_one_node_is_explained_with_its_sockets_and_parameters(weft):
    said = weft("nodes", "save_image").out
    assert "Inputs\n  image  image" in said
    assert "one of png, jpeg, webp, tiff; 'png' by default" in said
    (spec,) = weft("nodes", "save_image", "--json").events
    assert spec["effect"] is True


def test_a_node_that_is_not_there_names_near_ones(weft):
    done = weft("nodes", "save_imag")
    assert done.status == USAGE
    assert "Did you mean save_image" in done.err


def test_the_schema_accepts_every_example(weft):
    schema = json.loads(weft("schema").out)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert examples()
    for path in examples().values():
        validator.validate(json.loads(path.read_text()))
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({"weft": 1, "nodes": []})


def test_info_of_a_workflow_sums_it_up(weft):
    expose = {"width": {"node": "picture", "param": "width"}}
    flow = weft.flow({"picture": PICTURE, "keep": SAVE}, title="A square", expose=expose)
    said = weft("info", flow).out
    assert "A square" in said
    assert "width  8" in said
    (record,) = weft("info", flow, "--json").events
    assert record["nodes"] == {"save_image": 1, "solid_image": 1}


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_info_of_an_image_tells_how_it_was_made_and_gives_the_workflow_back(weft, kind):
    keep = SAVE | {"params": {"format": kind, "name": "made"}}
    flow = weft.flow({"picture": PICTURE, "keep": keep}, title="A square")
    path = weft("run", flow).out.strip()

    said = weft("info", path).out
    assert "A square" in said
    assert "Saved by keep" in said
    (record,) = weft("info", path, "--json").events
    assert record["node"] == "keep"
    again = weft.write("again.weft.json", weft("info", path, "--workflow").out)
    assert weft("run", again, "--out", "second").status == 0
    second = weft("info", next((weft.folder / "second").glob("made.*")), "--workflow")
    assert second.out == again.read_text()


def test_info_of_a_large_workflow_comes_from_the_sidecar_and_from_the_image(weft):
    notes = [{"text": "x" * 100_000, "x": 0, "y": 0}]
    nodes = {"picture": PICTURE, "keep": SAVE | {"params": {"name": "made"}}}
    path = weft("run", weft.flow(nodes, layout={"notes": notes})).out.strip()
    by_image = weft("info", path, "--json")
    by_sidecar = weft("info", path + ".weft.json", "--json")
    assert by_image.status == 0, by_image.err
    assert "x" * 100_000 in by_image.out
    assert by_image.out == by_sidecar.out


def test_info_of_an_image_that_is_not_ours_says_so(weft):
    (weft.folder / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    done = weft("info", "x.png")
    assert done.status == FAILED
    assert "x.png carries no Weft workflow" in done.err
    assert weft("info", "nothing.png").status == USAGE


def test_doctor_knows_versions_devices_folders_and_what_is_shipped(weft):
    done = weft("doctor", "--json")
    *findings, last = done.events
    names = {(finding["topic"], finding["name"]) for finding in findings}
    assert {("Versions", "python"), ("Devices", "cpu"), ("Folders", "outputs")} <= names
    problems = [finding for finding in findings if finding["problem"]]
    assert last["problems"] == len(problems)
    assert done.status == (1 if problems else 0)


@pytest.mark.parametrize(
    ("version", "wanted", "fits"),
    [
        ("2.13.0+cpu", ">=2.11", True),
        ("2.9.1", ">=2.11", False),
        ("0.42.1", ">=0.42,<0.43", True),
        ("0.43", ">=0.42,<0.43", False),
        ("6.0.1", ">=5.20,<6", False),
        ("1.0", "", True),
    ],
)
def test_doctor_compares_versions(version, wanted, fits):
    assert _satisfies(version, wanted) is fits
