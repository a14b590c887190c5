"""``weft models``, as a person or a script would use it."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from backend.catalog.identify import shipped_knowledge
from backend.cli.errors import DONE, FAILED, USAGE
from tests.backend.catalog.headers import filled, gguf, safetensors, sparse

SIGNATURES = shipped_knowledge().book.signatures
FLUX = filled(next(s for s in SIGNATURES if s.pack.name == "flux-dev").form)
STYLE = {"emb_params": (2, 768)}


@pytest.fixture
def comfy(tmp_path: Path) -> Path:
    """ComfyUI's folder with two models and a broken file."""
    root = tmp_path / "ComfyUI"
    gguf(root / "models/unet/flux1-dev-Q4_K.gguf", FLUX)
    safetensors(root / "models/embeddings/style.safetensors", STYLE, "F32")
    sparse(root / "models/loras/cut.safetensors", b"\xff" * 8, 0)
    return root


def test_a_folder_is_added_scanned_listed_and_left_out_again(weft, comfy: Path) -> None:
    added = weft("models", "add", comfy)
    assert added.status == DONE, added.err
    assert str(comfy / "models") in added.out
    assert "1 of them cannot be used" in added.out
    listed = weft("models", "list").out
    assert "unet/flux1-dev-Q4_K.gguf" in listed
    assert "primer" in listed
    assert "cut" not in listed
    assert "cut short" in weft("models", "list", "--broken").out
    assert weft("models", "add", comfy, "--remove").status == DONE
    assert "flux1-dev" not in weft("models", "list").out
    assert (comfy / "models/unet/flux1-dev-Q4_K.gguf").exists()


def test_json_gives_every_model_on_a_line(weft, comfy: Path) -> None:
    folders, scanned = weft("models", "add", comfy, "--json").events
    assert folders == {"event": "folders", "folders": [str(comfy)]}
    assert (scanned["new"], scanned["broken"]) == (6, 1)
    models = weft("models", "list", "--json").events
    by_name = {model["name"]: model["identity"] for model in models}
    assert by_name["unet/flux1-dev-Q4_K.gguf"]["family"] == "flux"
    assert by_name["unet/flux1-dev-Q4_K.gguf"]["precision"] == "Q4_K"
    (again,) = weft("models", "scan", "--json").events
    assert (again["new"], again["same"], again["gone"]) == (0, 6, 0)


def test_a_list_can_be_narrowed(weft, comfy: Path) -> None:
    weft("models", "add", comfy)
    families = weft("models", "list", "--family", "sd15", "--json").events
    assert [model["name"] for model in families] == ["embeddings/style.safetensors"]
    kinds = weft("models", "list", "--kind", "denoiser", "--json").events
    assert [model["name"] for model in kinds] == ["unet/flux1-dev-Q4_K.gguf"]
    wrong = weft("models", "list", "--kind", "brain")
    assert wrong.status == USAGE
    assert "lora" in wrong.err


def test_info_says_what_a_model_is_and_how_it_was_told(weft, comfy: Path) -> None:
    weft("models", "add", comfy)
    said = weft("models", "info", "flux1-dev-Q4_K").out
    assert "FLUX.1 dev" in said
    assert "Q4_K" in said
    assert "original names" in said
    (record,) = weft("models", "info", "flux1-dev-Q4_K", "--json").events
    assert record["path"] == str(comfy / "models/unet/flux1-dev-Q4_K.gguf")
    broken = weft("models", "info", "loras/cut")
    assert broken.status == FAILED
    assert "cut short" in broken.out


def test_a_model_that_is_not_there_names_near_ones(weft, comfy: Path) -> None:
    weft("models", "add", comfy)
    done = weft("models", "info", "flux1-dev-Q4_J")
    assert done.status == USAGE
    assert "Did you mean flux1-dev-Q4_K" in done.err


def test_verify_keeps_hashes_and_sees_what_changed(weft, comfy: Path) -> None:
    weft("models", "add", comfy)
    path = comfy / "models/embeddings/style.safetensors"
    (first,) = weft("models", "verify", "style", "--json").events
    assert first["good"]
    assert first["content"].startswith("blake3:")
    assert first["content"] in weft("models", "info", "style").out
    stat = path.stat()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    damaged = weft("models", "verify", "style")
    assert damaged.status == FAILED
    assert "not what it was" in damaged.out
    assert "not what it was" in weft("models", "list", "--broken").out
    everything = weft("models", "verify")
    assert everything.status == FAILED
    assert "!! loras/cut.safetensors" in everything.out


def test_verify_goes_on_after_what_is_gone_and_blames_no_change(weft, comfy: Path) -> None:
    style = comfy / "models/embeddings/style.safetensors"
    weft("models", "add", comfy)
    weft("models", "verify", "style")
    safetensors(style, {"emb_params": (3, 768)}, "F32")
    (comfy / "models/unet/flux1-dev-Q4_K.gguf").unlink()
    found = weft("models", "verify", "flux1-dev-Q4_K", "style")
    assert found.status == FAILED
    assert "cannot be read any more" in found.out
    assert "has changed since the last scan" in found.out
    assert "not what it was" not in weft("models", "list").out


@pytest.mark.skipif(os.name == "nt", reason="such names cannot be there")
def test_what_a_terminal_would_obey_is_shown_and_not_sent(weft, comfy: Path) -> None:
    safetensors(comfy / "models/loras/red\x1b[31m.safetensors", STYLE)
    weft("models", "add", comfy)
    listed = weft("models", "list").out
    assert "\x1b" not in listed
    assert "red\\x1b[31m" in listed


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server with a model, a pickle and a repository of the hub."""
    root = tmp_path / "site"
    safetensors(root / "style.safetensors", STYLE)
    sparse(root / "old.ckpt", b"PK\x03\x04\x00\x00\x08\x08" + bytes(99), 0)
    listing = {"sha": "main", "siblings": [{"rfilename": "a.safetensors"}, {"rfilename": "b.json"}]}
    sparse(root / "api/models/o/r/revision/main", json.dumps(listing).encode(), 0)
    safetensors(root / "o/r/resolve/main/a.safetensors", STYLE)
    sparse(root / "o/r/resolve/main/b.json", b"{}", 0)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_get_downloads_checks_and_lists_a_model(weft, site: str, tmp_path: Path) -> None:
    digest = hashlib.sha256((tmp_path / "site/style.safetensors").read_bytes()).hexdigest()
    got = weft("models", "get", f"{site}/style.safetensors", "--sha256", digest, NO_PROXY="*")
    assert got.status == DONE, got.err
    path = Path(got.out.splitlines()[0])
    assert path.is_file()
    (record,) = weft("models", "info", "style", "--json").events
    assert record["path"] == str(path)
    again = weft("models", "get", f"{site}/style.safetensors", NO_PROXY="*")
    assert again.status == FAILED
    assert "is there already" in again.err


def test_get_takes_a_repository_from_another_hub(weft, site: str, tmp_path: Path) -> None:
    into = tmp_path / "mine"
    arguments = ("models", "get", "hf:o/r", "--into", into, "--json")
    done = weft(*arguments, HF_ENDPOINT=site, NO_PROXY="*")
    assert done.status == DONE, done.err
    assert [Path(e["path"]).relative_to(into).as_posix() for e in done.events] == [
        "o/r/a.safetensors", "o/r/b.json"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "more", "status", "said"),
    [
        ("{}/old.ckpt", [], FAILED, "is a pickle"),
        ("{}/old.ckpt", ["--name", "x.safetensors"], FAILED, "pickle in spite of its name"),
        ("{}/none.safetensors", [], FAILED, "no such file"),
        ("{}/style.safetensors", ["--sha256", "0" * 64], FAILED, "has the SHA-256"),
        ("file:///etc/passwd", [], FAILED, "only http and https"),
        ("hf:o/r", ["--name", "x.json"], USAGE, "single file"),
        ("flux", [], FAILED, "no address"),
    ],
)
def test_what_cannot_be_got_is_a_sentence(weft, site, tmp_path, source, more, status, said) -> None:
    arguments = ("models", "get", source.format(site), "--into", tmp_path / "mine", *more)
    done = weft(*arguments, HF_ENDPOINT=site, NO_PROXY="*")
    assert done.status == status
    assert said in done.err
    assert "Traceback" not in done.err
    assert [p for p in (tmp_path / "mine").rglob("*") if p.is_file()] == []


@pytest.mark.parametrize("command", ["scan", "list", "info", "add", "verify", "get"])
def test_every_help_has_an_example(weft, command: str) -> None:
    done = weft("models", command, "--help")
    assert done.status == DONE
    assert f"weft models {command}" in done.out


def test_a_folder_that_is_none_is_refused(weft, tmp_path: Path) -> None:
    done = weft("models", "add", tmp_path / "nothing")
    assert done.status == USAGE
    assert "is no folder" in done.err
