"""Downloads from a real server on loopback: cuts, lies, redirects, full disks and pickles."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from backend.catalog import fetch as module
from backend.catalog.errors import CatalogError
from backend.catalog.fetch import Fetcher
from backend.catalog.hub import SUFFIXES, usual_files, wanted
from backend.catalog.web import Hub, check_url

GOOD = save({"emb_params": np.arange(60_000, dtype=np.float32).reshape(-1, 100)})
OTHER = save({"emb_params": np.ones((600, 100), np.float32)})
SHA256 = hashlib.sha256(GOOD).hexdigest()


class Server(ThreadingHTTPServer):
    """Gives ``files`` by path; ``cuts`` says after how many bytes the next answers break off."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {"/w.safetensors": GOOD}
        self.redirects: dict[str, str] = {}
        self.more: dict[str, dict[str, str]] = {}
        self.statuses: dict[str, int] = {}
        self.cuts: list[int] = []
        self.once: list[tuple[int, bytes, dict[str, str]]] = []
        self.ranges = True
        self.etags = True
        self.asked: list[tuple[str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: object) -> None:
        """A reader that hangs up is part of the tests."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        server, path = self.server, self.path.split("?")[0]
        server.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        if server.once:
            status, body, headers = server.once.pop(0)
            return self.answer(status, body, **headers)
        if path in server.redirects:
            return self.answer(302, b"", Location=server.redirects[path])
        if path in server.statuses or path not in server.files:
            return self.answer(server.statuses.get(path, 404), b"")
        body = server.files[path]
        etag = f'"{hashlib.md5(body).hexdigest()}"'
        tag = {"ETag": etag} if server.etags else {}
        given = self.headers.get("Range", "")
        if server.ranges and given and self.headers.get("If-Range") in (None, etag):
            start = int(given.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                return self.answer(416, b"", **{"Content-Range": f"bytes */{len(body)}"})
            piece = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
            return self.answer(206, body[start:], **tag, **piece)
        return self.answer(200, body, **tag)

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        more = self.server.more.get(self.path.split("?")[0], {})
        for name, value in {"Content-Length": str(len(body)), **headers, **more}.items():
            self.send_header(name, value)
        self.end_headers()
        cut = self.server.cuts.pop(0) if self.server.cuts and body else len(body)
        self.wfile.write(body[:cut])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setattr(module, "CHUNK", 4096)
    with Server() as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "models" / "w.safetensors"


Get = Callable[..., str]


@pytest.fixture
def get(server: Server, target: Path) -> Get:
    def act(path: str = "/w.safetensors", sha256: str = "", **options: object) -> str:
        hub = options.pop("hub", Hub(server.url))
        return Fetcher(hub, **options).fetch(server.url + path, target, sha256)  # type: ignore[arg-type]

    return act


def left(target: Path) -> list[str]:
    """What else lies beside the target."""
    return sorted(path.name for path in target.parent.glob("*") if path != target)


def test_a_file_is_got_whole(get: Get, target: Path) -> None:
    heard: list[tuple[int, int]] = []
    assert get(sha256=SHA256.upper(), progress=lambda *p: heard.append(p)) == SHA256
    assert target.read_bytes() == GOOD
    assert left(target) == []
    assert heard[-1] == (len(GOOD), len(GOOD))
    assert heard == sorted(heard)


def test_after_a_cut_it_goes_on_where_it_stopped(get: Get, server: Server, target: Path) -> None:
    server.cuts = [100_000, 50_000]
    assert get() == SHA256
    ranges = [headers.get("range") for _, headers in server.asked]
    assert ranges == [None, "bytes=100000-", "bytes=150000-"]
    assert all(headers.get("if-range") for _, headers in server.asked[1:])
    assert target.read_bytes() == GOOD


def test_a_later_call_resumes_what_an_earlier_one_left(get, server, target) -> None:
    server.cuts = [100_000, 0, 0]
    with pytest.raises(CatalogError, match=r"broke off after 100000 bytes.*again"):
        get()
    assert left(target) == ["w.safetensors.part", "w.safetensors.part.json"]
    assert not target.exists()
    server.cuts = []
    assert get() == SHA256
    assert server.asked[-1][1]["range"] == "bytes=100000-"
    assert left(target) == []


def test_a_file_that_changed_in_between_is_got_anew(get, server, target) -> None:
    server.cuts = [100_000, 0]
    with pytest.raises(CatalogError):
        get()
    server.files["/w.safetensors"] = OTHER
    assert get() == hashlib.sha256(OTHER).hexdigest()
    assert "range" in server.asked[-1][1]
    assert target.read_bytes() == OTHER


def test_a_piece_of_another_file_is_not_put_behind_the_first(get, server, target) -> None:
    """A server that sends a piece of what the file is now, whatever If-Range said."""
    server.cuts = [100_000, 0]
    with pytest.raises(CatalogError):
        get()
    server.files["/w.safetensors"] = OTHER
    piece = {"Content-Range": f"bytes 100000-{len(OTHER) - 1}/{len(OTHER)}"}
    server.once = [(206, OTHER[100_000:], {"ETag": '"new"', **piece})]
    assert get() == hashlib.sha256(OTHER).hexdigest()
    assert target.read_bytes() == OTHER


@pytest.mark.parametrize("length", ["\xb2", "9" * 5000, "-5"])
def test_a_length_that_is_none_is_as_if_none_were_given(get, server, target, length: str) -> None:
    server.more["/w.safetensors"] = {"Content-Length": length}
    assert get() == SHA256


@pytest.mark.parametrize("lacks", ["ranges", "etags"])
def test_a_server_that_cannot_resume_is_asked_for_all_of_it(get, server, target, lacks) -> None:
    setattr(server, lacks, False)
    server.cuts = [100_000]
    assert get() == SHA256
    assert target.read_bytes() == GOOD
    assert ("range" in server.asked[-1][1]) == (lacks == "ranges")


def test_a_part_that_is_whole_already_is_finished(get, server, target) -> None:
    server.cuts = [100_000, 0]
    with pytest.raises(CatalogError):
        get()
    target.with_name("w.safetensors.part").write_bytes(GOOD)
    assert get() == SHA256


def test_a_part_longer_than_the_file_is_begun_anew(get, server, target) -> None:
    server.cuts = [100_000, 0]
    with pytest.raises(CatalogError):
        get()
    target.with_name("w.safetensors.part").write_bytes(GOOD + b"more")
    assert get() == SHA256
    assert target.read_bytes() == GOOD


def test_a_part_of_another_address_is_not_gone_on_with(get, server, target) -> None:
    server.files["/other"] = OTHER
    server.cuts = [100_000, 0]
    with pytest.raises(CatalogError):
        get()
    assert get("/other") == hashlib.sha256(OTHER).hexdigest()
    assert "range" not in server.asked[-1][1]


def test_a_wrong_hash_deletes_what_came(get: Get, target: Path) -> None:
    with pytest.raises(CatalogError, match=f"has the SHA-256 {SHA256}.*deleted"):
        get(sha256="0" * 64)
    assert not target.exists()
    assert left(target) == []


def test_a_hash_that_is_none_is_refused_before_asking(get: Get, server: Server) -> None:
    with pytest.raises(CatalogError, match="is no SHA-256"):
        get(sha256="abc")
    assert server.asked == []


def test_the_hash_that_the_hub_names_is_checked(get, server, target) -> None:
    server.redirects["/hub"] = "/w.safetensors"
    server.more["/hub"] = {"X-Linked-ETag": f'"{"1" * 64}"'}
    with pytest.raises(CatalogError, match=f"and {'1' * 64} was wanted"):
        get("/hub")
    server.more["/hub"] = {"X-Linked-ETag": f'"{SHA256}"'}
    assert get("/hub") == SHA256


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (404, "no such file"),
        (401, "HF_TOKEN"),
        (403, "licence"),
        (503, "Try again later"),
        (418, "status 418"),
    ],
)
def test_a_refusal_is_a_sentence(get, server, target, status: int, said: str) -> None:
    server.statuses["/w.safetensors"] = status
    with pytest.raises(CatalogError, match=said):
        get()
    assert left(target) == []


def test_a_server_that_is_not_there_is_told(server: Server, target: Path) -> None:
    with pytest.raises(CatalogError, match=r"cannot be reached.*network"):
        Fetcher(Hub()).fetch("http://127.0.0.1:9/w.safetensors", target)


@pytest.mark.parametrize(
    "to", ["file:///etc/passwd", "ftp://127.0.0.1/w", "data:,x", "http://a:b@127.0.0.1/w"]
)
def test_a_redirect_leads_only_to_the_web(get, server, target, to: str) -> None:
    server.redirects["/w.safetensors"] = to
    with pytest.raises(CatalogError, match="no address that models are got from"):
        get()
    assert left(target) == []


def test_a_redirect_to_what_is_no_address_is_told(get, server) -> None:
    server.redirects["/w.safetensors"] = "http://[bad"
    with pytest.raises(CatalogError, match="no address"):
        get()


def test_redirects_without_end_are_left(get, server) -> None:
    server.redirects["/w.safetensors"] = "/w.safetensors"
    with pytest.raises(CatalogError, match="without end"):
        get()


def test_the_token_goes_to_the_hub_alone(get, server, target) -> None:
    with_token = Hub(server.url, "secret")
    other = server.url.replace("127.0.0.1", "localhost")
    server.redirects["/hub"] = f"{other}/w.safetensors"
    assert get("/hub", hub=with_token) == SHA256
    (_, first), (_, second) = server.asked
    assert first["authorization"] == "Bearer secret"
    assert "authorization" not in second
    assert "secret" not in json.dumps(left(target))


def test_a_full_disk_is_seen_before_anything_is_written(get, target) -> None:
    with pytest.raises(CatalogError, match=r"GB free.*Make space"):
        get(free=lambda folder: len(GOOD) + 1)
    assert not target.exists()


def test_a_disk_that_fills_up_is_seen_on_the_way_and_the_part_stays(
    get, target, monkeypatch
) -> None:
    monkeypatch.setattr(module, "LOOK", 4)
    room = iter([2**40, 2**40, 10])
    with pytest.raises(CatalogError, match="Make space"):
        get(free=lambda folder: next(room))
    assert target.with_name("w.safetensors.part").stat().st_size > 0
    assert get() == SHA256


@pytest.mark.parametrize("start", [b"PK\x03\x04\x00\x00\x08\x08", b"\x80\x02}q\x00(X\x05"])
def test_a_pickle_is_refused_as_soon_as_it_shows(get, server, target, start: bytes) -> None:
    server.files["/w.safetensors"] = start + bytes(100_000)
    with pytest.raises(CatalogError, match="is a pickle in spite of its name"):
        get()
    assert left(target) == []


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("w.safetensors", b"<!DOCTYPE html><html>Please log in</html>", "safetensors"),
        ("w.safetensors", GOOD[:-8], "cut short"),
        ("w.gguf", GOOD, "no GGUF file"),
        ("w.json", b"<html>", "not valid JSON"),
    ],
)
def test_what_is_no_model_is_deleted(get, server, target, name, body, said) -> None:
    server.files["/w.safetensors"] = body
    target = target.with_name(name)
    with pytest.raises(CatalogError, match=said):
        Fetcher(Hub()).fetch(server.url + "/w.safetensors", target)
    assert left(target) == []
    assert not target.exists()


def test_a_small_file_that_is_large_is_refused(server, target, monkeypatch) -> None:
    monkeypatch.setattr(module, "MAX_SMALL", 1000)
    with pytest.raises(CatalogError, match="larger than 1000 bytes"):
        Fetcher(Hub()).fetch(server.url + "/w.safetensors", target.with_name("merges.txt"))
    assert left(target) == []


def test_a_file_that_is_there_is_not_overwritten(get: Get, server: Server, target: Path) -> None:
    get()
    server.asked.clear()
    with pytest.raises(CatalogError, match="is there already"):
        get()
    assert server.asked == []


def test_two_processes_do_not_get_the_same_file_at_once(get: Get, target: Path) -> None:
    target.parent.mkdir()
    with module._Part("x", target).locked(), pytest.raises(CatalogError, match="Another process"):
        get()


def test_a_folder_that_cannot_be_written_is_told(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CatalogError, match="cannot be written"):
        Fetcher(Hub()).fetch(server.url + "/w.safetensors", tmp_path / "file" / "w.safetensors")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a/b.safetensors",
        "file:///a",
        "hf.co/a",
        "http://",
        "http://u:p@h/a",
        "http://h/a b",
        "http://h/\n",
    ],
)
def test_only_plain_web_addresses_are_asked(url: str) -> None:
    with pytest.raises(CatalogError, match="no address"):
        check_url(url)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("hf:org", "does not name a model"),
        ("hf:org/name/../../x.safetensors", "does not name a model"),
        ("hf:org/name/model.ckpt", "is a pickle"),
        ("https://host/model.pt", "is a pickle"),
        ("https://host/api/download/123", "does not end in"),
        ("https://host/%2e%2e%2fx.safetensors", "cannot be a file's name"),
        ("https://host/.x.safetensors", "cannot be a file's name"),
        ("https://host/a%00.safetensors", "cannot be a file's name"),
        ("https://host/aux.safetensors", "Windows keeps the name 'aux.safetensors' for a device"),
        ("hf:org/name/vae/NUL.json", "Windows keeps the name 'NUL.json' for a device"),
        ("hf:org/name/com1/model.safetensors", "Windows keeps the name 'com1'"),
    ],
)
def test_a_source_that_names_no_model_or_no_file_is_refused(source: str, said: str) -> None:
    with pytest.raises(CatalogError, match=said):
        wanted(source, Hub())


def test_a_device_name_can_be_replaced_and_a_repositorys_is_led_by_a_dash() -> None:
    (one,) = wanted("https://host/aux.safetensors", Hub(), name="ink.safetensors")
    (two,) = wanted("hf:con/nul.2/ink.safetensors", Hub("https://hub"))
    assert str(one.path) == "ink.safetensors"
    assert str(two.path) == "_con/_nul.2/ink.safetensors"
    assert two.url == "https://hub/con/nul.2/resolve/main/ink.safetensors"


def test_a_file_of_the_hub_has_its_address_and_place() -> None:
    (one,) = wanted("hf:org/name/sub/w.gguf@refs/pr/1", Hub("https://hub"))
    assert one.url == "https://hub/org/name/resolve/refs%2Fpr%2F1/sub/w.gguf"
    assert str(one.path) == "org/name/sub/w.gguf"
    (named,) = wanted("https://h/api/123?x=1", Hub(), name="w.safetensors")
    assert (named.url, str(named.path)) == ("https://h/api/123?x=1", "w.safetensors")


REPOSITORY = [
    ".gitattributes",
    "README.md",
    "model_index.json",
    "sdxl.safetensors",
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "unet/diffusion_pytorch_model.fp16.safetensors",
    "unet/diffusion_pytorch_model.bin",
    "vae/diffusion_pytorch_model.fp16.safetensors",
    "vae/config.json",
    "tokenizer/merges.txt",
    "tokenizer/spiece.model",
    "unet/model.onnx",
]


def test_of_a_diffusers_repository_the_usual_files_are_taken() -> None:
    assert usual_files(REPOSITORY) == [
        "model_index.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.fp16.safetensors",
        "vae/config.json",
        "tokenizer/merges.txt",
        "tokenizer/spiece.model",
    ]


def test_a_repository_is_listed_at_one_revision(server: Server) -> None:
    listing = {"sha": "c0ffee", "siblings": [{"rfilename": name} for name in REPOSITORY]}
    server.files["/api/models/org/name/revision/main"] = json.dumps(listing).encode()
    files = wanted("hf:org/name", Hub(server.url), only=["unet/*.safetensors"])
    assert [file.url for file in files] == [
        f"{server.url}/org/name/resolve/c0ffee/unet/diffusion_pytorch_model{v}.safetensors"
        for v in (".fp16", "")
    ]
    with pytest.raises(CatalogError, match="is a pickle"):
        wanted("hf:org/name", Hub(server.url), only=["*.bin"])
    with pytest.raises(CatalogError, match="no file that can be got"):
        wanted("hf:org/name", Hub(server.url), only=["nothing*"])
    every = wanted("hf:org/name", Hub(server.url), only=["*"])
    assert {file.path.suffix for file in every} <= set(SUFFIXES)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[]",
        b'{"siblings": [3]}',
        b'{"siblings": [{"rfilename": "../../x.safetensors"}]}',
    ],
)
def test_a_listing_that_is_none_or_climbs_is_refused(server: Server, body: bytes) -> None:
    server.files["/api/models/org/name/revision/main"] = body
    with pytest.raises(CatalogError, match=r"no listing|cannot be a file's name"):
        wanted("hf:org/name", Hub(server.url))
