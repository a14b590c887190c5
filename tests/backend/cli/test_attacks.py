"""What a stranger's folder may try, beside what is in ``test_bad_input``. A test each."""

from __future__ import annotations

import io
import json
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.backend.cli.test_bad_input import (
    READ,
    SAVE,
    SOLID,
    assert_nothing_written,
    assert_told,
    document,
    text_node,
)

HELLO = {"hello": text_node("seven"), "seen": {"type": "show", "inputs": {"value": "hello.text"}}}
MARK = "import pathlib; pathlib.Path({!r}).write_text('ran')\n"


@pytest.mark.parametrize("name", ["numpy", "json", "typer", "backend", "nodes", "sitecustomize"])
def test_a_module_beside_the_workflow_is_not_imported(weft, name):
    mark = weft.folder / "ran"
    for path in (weft.folder / f"{name}.py", weft.folder / name / "__init__.py"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(MARK.format(str(mark)))
    assert_told(weft.fresh("run", weft.flow(HELLO)), 0, "seven")
    assert not mark.exists()


@pytest.mark.parametrize(
    "field", ["script", "module", "python", "__class__", "node_pack", "requirements", "entry"]
)
def test_a_workflow_that_names_a_script_runs_none(weft, field):
    mark = weft.folder / "ran"
    (weft.folder / "evil.py").write_text(MARK.format(str(mark)))
    path = weft.write("flow.weft.json", document({"hello": text_node()}, **{field: "evil.py"}))
    done = weft("run", path)
    assert "Traceback" not in done.out + done.err
    nodes = {"hello": {**text_node(), field: "evil.py"}, "e": {"type": "evil.py"}}
    done = weft("run", weft.write("flow.weft.json", document(nodes)))
    assert "Traceback" not in done.out + done.err
    assert not mark.exists()


@pytest.mark.parametrize(
    "file",
    [
        "/etc/passwd",
        "//attacker.example/share/photo.png",
        "\\\\attacker.example\\share\\photo.png",
        "file:///etc/passwd",
        "https://attacker.example/photo.png",
        "~/photo.png",
        "C:\\Windows\\win.ini",
        "photo.png\0.txt",
        "/proc/self/environ",
        "/dev/zero",
        "../" * 40 + "etc/passwd",
    ],
)
def test_paths_that_are_absolute_on_the_network_or_up_are_not_read(weft, file):
    nodes = {"picture": READ | {"params": {"file": file}}, "keep": SAVE}
    done = weft("run", weft.flow(nodes))
    assert done.status != 0
    assert_told(done, done.status)
    assert "root:" not in done.out + done.err
    assert_nothing_written(weft)


class Payload:
    """What runs when a pickle is opened."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return exec, (MARK.format(str(self.mark)),)


def pickled_archive(mark: Path) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("model/data.pkl", pickle.dumps(Payload(mark)))
    return held.getvalue()


@pytest.mark.parametrize("name", ["model.safetensors", "model.gguf", "model.ckpt", "model.pt"])
@pytest.mark.parametrize("form", [pickle.dumps, pickled_archive], ids=["bare", "archive"])
def test_a_pickle_by_any_name_is_refused_and_not_opened(weft, name, form):
    mark = weft.folder / "ran"
    data = form(Payload(mark)) if form is pickle.dumps else form(mark)
    (weft.folder / name).write_bytes(data)
    nodes = {
        "m": {"type": "load_model", "params": {"model": name}},
        "l": {"type": "empty_latent", "inputs": {"model": "m.model"}},
        "seen": {"type": "show", "inputs": {"value": "l.latent"}},
    }
    for command in ("check", "run"):
        done = weft(command, weft.flow(nodes))
        assert done.status != 0
        assert_told(done, done.status, name)
    assert not mark.exists()


def test_a_safetensors_header_that_promises_the_moon_takes_no_memory(weft):
    header = json.dumps(
        {"x": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}
    ).encode()
    for data in (struct.pack("<Q", len(header)) + header, struct.pack("<Q", 1 << 62) + b"{}"):
        (weft.folder / "m.safetensors").write_bytes(data)
        nodes = {
            "m": {"type": "load_model", "params": {"model": "m.safetensors"}},
            "seen": {"type": "show", "inputs": {"value": "m.model"}},
        }
        done = weft("run", weft.flow(nodes))
        assert done.status != 0
        assert_told(done, done.status, "m.safetensors")


def test_lists_that_multiply_are_capped(weft):
    """Each list is fine by itself; together they would be 10^12 pairs."""
    wide = {"count": 100_000}
    nodes: dict = {
        "r": {"type": "range", "params": wide},
        "p0": {"type": "product", "inputs": {"a": "r.integers", "b": "r.integers"}},
        "p1": {"type": "product", "inputs": {"a": "p0.a", "b": "p0.a"}},
        "seen": {"type": "show", "inputs": {"value": "p1.a"}},
    }
    done = weft("run", weft.flow(nodes))
    assert done.status != 0
    assert_told(done, done.status)


@pytest.mark.parametrize("number", ["1" * 5000, "1e999", "-0." + "9" * 5000, "1e-400"])
def test_numbers_without_end_are_told_or_read_but_stop_nothing(weft, number):
    nodes = document({"n": {"type": "integer", "params": {"value": 5}}})
    path = weft.write("flow.weft.json", nodes.replace("5}", number + "}"))
    done = weft("check", path)
    assert_told(done, done.status)


@pytest.mark.parametrize(
    "text", ["2**" * 60 + "2", "(" * 3000, "x" * 100_000, "10**400", "1/0", "[1]*10**9", "'a'*9**9"]
)
def test_expressions_that_grow_are_refused(weft, text):
    nodes = {
        "e": {"type": "expression", "params": {"expression": text}},
        "seen": {"type": "show", "inputs": {"value": "e.number"}},
    }
    done = weft("run", weft.flow(nodes))
    assert done.status != 0
    assert_told(done, done.status)


def test_an_output_folder_inside_that_is_a_link_is_not_followed(weft):
    (weft.folder / "victim").mkdir()
    (weft.folder / "output").mkdir()
    (weft.folder / "output" / "sub").symlink_to(weft.folder / "victim")
    keep = SAVE | {"params": {"name": "sub/picture"}}
    done = weft("run", weft.flow({"picture": SOLID, "keep": keep}))
    assert_told(done, 1, "leads outside")
    assert list((weft.folder / "victim").iterdir()) == []


GUARD = """
import os, sys
def watch(event, given):
    if event in ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto"):
        probe = event == "socket.bind" and given[-1] == ("::1", 0)  # urllib3 looks for IPv6 so
        if not probe and not isinstance(given[-1], str | bytes):  # a path is no network
            os.write(2, f"NETWORK: {event} {given}".encode())
            os._exit(99)
sys.addaudithook(watch)
sys.argv = ["weft", *sys.argv[1:]]
from backend.cli import main
main()
"""


def test_the_engine_opens_no_port_and_asks_no_network(weft):
    """Python tells its audit hooks of every use of the network; here one of them ends the run."""
    command = [sys.executable, "-c", GUARD, "run", "text-to-image", "--set", "sample.steps=1"]
    done = subprocess.run(
        command, cwd=weft.folder, env=weft.environment, capture_output=True, text=True
    )
    assert "NETWORK" not in done.stderr
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_guard_of_this_test_sees_the_network(weft):
    code = (
        GUARD.partition("sys.argv")[0] + "import socket; socket.create_connection(('127.0.0.1', 9))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "NETWORK" in done.stderr
    assert done.returncode == 99
