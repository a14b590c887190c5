"""Whatever is wrong with the input, ``weft`` says what and where, and leaves nothing half done."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest

from backend.cli.errors import FAILED, INVALID, USAGE
from backend.cli.places import models_folder

SOLID = {"type": "solid_image", "params": {"width": 8, "height": 8}}
SAVE = {"type": "save_image", "inputs": {"image": "picture.image"}}


def assert_told(done, status: int, *said: str) -> None:
    """A sentence with what and where on standard error or output, and no traceback."""
    text = done.out + done.err
    assert done.status == status, text
    assert "Traceback" not in text
    assert "Weft itself went wrong" not in text
    for words in said:
        assert words in text


def assert_nothing_written(weft, *but: str) -> None:
    """No output, and no temporary file of one, anywhere in the test's folder."""
    output = weft.folder / "output"
    found = [path.name for path in output.rglob("*") if path.is_file()] if output.exists() else []
    assert [name for name in found if not name.startswith(".weft")] == []
    assert list(weft.folder.rglob("*.tmp")) == []


def text_node(value: str = "x") -> dict:
    return {"type": "text", "version": 1, "params": {"value": value}}


def document(nodes: dict | None = None, **more: object) -> str:
    full = {"weft": 1, "nodes": {"hello": text_node()} if nodes is None else nodes}
    return json.dumps(full | more)


def billion_uses() -> str:
    """Ten subgraphs, each made of ten uses of the one below: 10^10 nodes."""
    graphs: dict[str, dict] = {"g0": {"nodes": {"a": text_node()}}}
    for level in range(1, 11):
        uses = {f"n{i}": {"type": f"subgraph:g{level - 1}"} for i in range(10)}
        graphs[f"g{level}"] = {"nodes": uses}
    return document({"top": {"type": "subgraph:g10"}}, subgraphs=graphs)


def ring() -> dict:
    return {
        "one": {"type": "blur", "inputs": {"image": "two.image"}},
        "two": {"type": "blur", "inputs": {"image": "one.image"}},
    }


WORKFLOWS = {
    "not JSON": ("weft: 1", ["flow.weft.json:1:1"]),
    "empty": ("", ["flow.weft.json"]),
    "cut short": (document()[:-9], ["flow.weft.json:1:"]),
    "nested 100 000 deep": ('{"weft": 1, "nodes": ' + "[" * 100_000, ["flow.weft.json:1:"]),
    "nested objects": ('{"a":' * 100_000 + "1" + "}" * 100_000, ["flow.weft.json:1:"]),
    "NaN": (document().replace('"x"', "NaN"), ["NaN"]),
    "newer format": (document().replace('"weft": 1', '"weft": 99'), ["newer Weft", "99"]),
    "another program's": ('{"last_node_id": 3, "nodes": []}', ["no Weft workflow"]),
    "duplicate ids": (
        '{"weft": 1, "nodes": {"a": {"type": "text"}, "a": {"type": "text"}}}',
        ["flow.weft.json:1:", "a"],
    ),
    "wrong type of a field": (document({"hello": {"type": 5}}), ["nodes.hello.type"]),
    "cycle": (document(ring()), ["nodes.", "one", "two"]),
    "missing node type": (document({"deep": {"type": "deep_fry"}}), ["deep_fry", "nodes.deep"]),
    "link to nowhere": (
        document({"soft": {"type": "blur", "inputs": {"image": "ghost.image"}}}),
        ["ghost", "nodes.soft.inputs.image"],
    ),
    "missing link": (document({"soft": {"type": "blur"}}), ["nodes.soft", "image"]),
    "wrong type of a link": (
        document(
            {"hello": text_node(), "soft": {"type": "blur", "inputs": {"image": "hello.text"}}}
        ),
        ["nodes.soft.inputs.image"],
    ),
    "wrong type of a value": (
        document({"hello": {"type": "text", "params": {"value": 5}}}),
        ["nodes.hello.params.value"],
    ),
    "value out of range": (
        document({"picture": SOLID | {"params": {"width": -5}}}),
        ["nodes.picture.params.width", "-5"],
    ),
    "unknown parameter": (
        document({"hello": {"type": "text", "params": {"txet": "x"}}}),
        ["nodes.hello.params.txet"],
    ),
    "subgraphs of 10^10 nodes": (billion_uses(), ["200"]),
    "9**9**9": (
        document({"sum": {"type": "expression", "params": {"expression": "9**9**9"}}}),
        ["sum"],
    ),
    "expression with a call": (
        document({"sum": {"type": "expression", "params": {"expression": "__import__('os')"}}}),
        ["nodes.sum"],
    ),
}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_broken_workflow_is_told_and_not_run(weft, name):
    text, said = WORKFLOWS[name]
    path = weft.write("flow.weft.json", text)

    assert_told(weft("run", path), INVALID, *said)
    assert_nothing_written(weft)
    assert path.read_text() == text


@pytest.mark.parametrize("name", ["cycle", "cut short", "subgraphs of 10^10 nodes"])
def test_check_tells_the_same_as_run(weft, name):
    path = weft.write("flow.weft.json", WORKFLOWS[name][0])
    assert_told(weft("check", path), INVALID, *WORKFLOWS[name][1])


def test_in_json_every_line_is_an_object_and_the_error_is_one_of_them(weft):
    path = weft.write("flow.weft.json", "weft: 1")
    done = weft("check", path, "--json")
    (error,) = done.events
    assert error["event"] == "error"
    assert error["status"] == done.status == INVALID
    assert error["code"].startswith("W0")
    assert "flow.weft.json" in error["place"]


def test_a_workflow_of_1_gb_is_refused_at_once(weft):
    path = weft.folder / "huge.weft.json"
    with open(path, "wb") as file:
        file.truncate(2**30)
    assert_told(weft("check", path), INVALID, "huge.weft.json", "1024 MB")


def test_a_workflow_that_is_not_utf_8_is_told(weft):
    path = weft.folder / "latin.weft.json"
    path.write_bytes(document().encode().replace(b'"x"', b'"\xe9"'))
    assert_told(weft("check", path), INVALID, "latin.weft.json:1:", "UTF-8")


@pytest.mark.parametrize(
    "name", ["missing.weft.json", "folder", "no\x00where"[:2] + "/x", "x" * 300]
)
def test_a_workflow_that_is_no_file_is_wrong_usage(weft, name):
    (weft.folder / "folder").mkdir()
    assert_told(weft("run", name), USAGE, name)


def test_a_pipe_is_no_workflow_and_nobody_waits_for_it(weft):
    os.mkfifo(weft.folder / "pipe.weft.json")
    assert_told(weft("check", "pipe.weft.json"), INVALID, "pipe.weft.json")


def test_a_field_that_nobody_knows_is_kept_and_told(weft):
    path = weft.write("flow.weft.json", document(colour="blue"))
    done = weft("check", path)
    assert_told(done, 0, "colour")


def test_a_pattern_that_would_blow_up_elsewhere_ends_at_once(weft):
    nodes = {
        "text": text_node("a" * 50_000 + "!"),
        "match": {
            "type": "regex_match",
            "params": {"pattern": "(a+)+$"},
            "inputs": {"text": "text.text"},
        },
        "seen": {"type": "show", "inputs": {"value": "match.matched"}},
    }
    assert_told(weft("run", weft.flow(nodes)), 0)


def png(width: int, height: int, data: bytes) -> bytes:
    """A PNG of 8-bit grey whose pixel data may be anything."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        sum32 = zlib.crc32(kind + body).to_bytes(4, "big")
        return len(body).to_bytes(4, "big") + kind + body + sum32

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


NOISE = np.random.default_rng(0).integers(0, 256, (64, 65), np.uint8)
NOISE[:, 0] = 0
WHOLE = png(64, 64, zlib.compress(NOISE.tobytes()))
IMAGES = {
    "truncated": WHOLE[: len(WHOLE) // 2],
    "bomb": png(60_000, 60_000, zlib.compress(bytes(1_000_000), 9)),
    "not an image": b"just some words\n" * 20,
    "empty": b"",
    "script": b"#!/bin/sh\necho hello\n",
}
READ = {"type": "load_image", "params": {"file": "photo.png"}}


@pytest.mark.parametrize("name", IMAGES)
def test_a_broken_image_fails_its_node(weft, name):
    (weft.folder / "photo.png").write_bytes(IMAGES[name])
    flow = weft.flow({"picture": READ, "keep": SAVE})
    assert_told(weft("run", flow), FAILED, "picture failed", "photo.png", "keep was left out")
    assert_nothing_written(weft)


def test_the_whole_image_of_these_tests_is_fine(weft):
    (weft.folder / "photo.png").write_bytes(WHOLE)
    done = weft("run", weft.flow({"picture": READ, "keep": SAVE}))
    assert_told(done, 0)
    assert Path(weft.folder, done.out.strip()).is_file()


def test_a_path_outside_the_grants_is_not_read_until_it_is_granted(weft):
    (weft.folder / "secret.png").write_bytes(WHOLE)
    reading = READ | {"params": {"file": "../secret.png"}}
    flow = weft.flow({"picture": reading, "keep": SAVE}, "flows/flow.weft.json")

    assert_told(weft("run", flow), FAILED, "../secret.png", "--allow-read")
    assert_nothing_written(weft)
    assert_told(weft("run", flow, "--allow-read", weft.folder / "secret.png"), 0)


def test_a_link_out_of_the_grants_is_not_followed(weft):
    (weft.folder / "secret.png").write_bytes(WHOLE)
    flow = weft.flow({"picture": READ, "keep": SAVE}, "flows/flow.weft.json")
    (flow.parent / "photo.png").symlink_to(weft.folder / "secret.png")
    assert_told(weft("run", flow), FAILED, "photo.png", "--allow-read")
    assert_nothing_written(weft)


@pytest.mark.parametrize("name", ["../up", "/abs", "a/../../b", "con", ".hidden", "{nobody}"])
def test_a_name_that_leaves_the_output_folder_is_refused(weft, name):
    keep = SAVE | {"params": {"name": name}}
    done = weft("run", weft.flow({"picture": SOLID, "keep": keep}))
    assert done.status in (FAILED, INVALID)
    assert_told(done, done.status, "keep", name)
    assert_nothing_written(weft)
    assert list(weft.folder.glob("*.png")) == []


def test_a_full_disk_fails_the_node_and_leaves_nothing(weft):
    """A file that may not grow is met by the same error as a full disk, at the same place."""
    big = SOLID | {"params": {"width": 2000, "height": 2000}}
    noisy = {"picture": big, "keep": SAVE | {"params": {"format": "tiff"}}}
    done = subprocess.run(
        weft.command("run", weft.flow(noisy)),
        cwd=weft.folder,
        env=weft.environment | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
    )
    assert done.returncode == FAILED
    assert "keep failed" in done.stderr
    assert "Traceback" not in done.stderr
    assert_nothing_written(weft)


def unwritable(folder: Path) -> Path:
    """A folder in which this user cannot write; for root, who always can, one of the kernel's."""
    if os.geteuid() == 0:
        return Path("/proc/weft")
    folder.mkdir()
    folder.chmod(0o500)
    return folder


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="root needs a folder of the kernel")
def test_a_read_only_output_folder_fails_the_node(weft):
    out = unwritable(weft.folder / "locked")
    done = weft("run", weft.flow({"picture": SOLID, "keep": SAVE}), "--out", out)
    assert_told(done, FAILED, "keep failed", str(out))


def test_an_output_folder_that_is_a_file_is_wrong_usage(weft):
    (weft.folder / "file").write_text("x")
    flow = weft.flow({"picture": SOLID, "keep": SAVE})
    assert_told(weft("run", flow, "--out", "file"), USAGE, "--out file", "is a file")
    assert_told(weft("run", flow, "--out", "file/deeper"), USAGE, "is a file")
    assert (weft.folder / "file").read_text() == "x"


def broken_model(folder: Path, kind: str) -> str:
    """A copy of the built-in model with one thing wrong; returns the file that is."""
    shutil.copytree(models_folder() / "primer", folder)
    weights = next((folder / "transformer").glob("*.safetensors"))
    if kind == "missing":
        weights.unlink()
        return "transformer"
    if kind == "truncated":
        weights.write_bytes(weights.read_bytes()[:-1000])
    if kind == "cut in its header":
        weights.write_bytes(weights.read_bytes()[:20])
    if kind == "a pickle":
        weights.rename(weights.with_suffix(".bin"))
        weights.with_suffix(".bin").write_bytes(b"\x80\x04K\x01.")
        return weights.with_suffix(".bin").name
    return weights.name


@pytest.mark.parametrize("kind", ["missing", "truncated", "cut in its header", "a pickle"])
def test_a_broken_model_folder_is_told_before_anything_runs(weft, kind):
    named = broken_model(weft.folder / "model", kind)
    nodes = {
        "model": {"type": "load_model", "params": {"model": "model"}},
        "empty": {"type": "empty_latent", "inputs": {"model": "model.model"}},
        "picture": {
            "type": "vae_decode",
            "inputs": {"vae": "model.vae", "latent": "empty.latent"},
        },
        "keep": SAVE,
    }
    done = weft("run", weft.flow(nodes))
    assert done.status in (FAILED, INVALID)
    assert_told(done, done.status, "model", named)
    assert_nothing_written(weft)
