"""``weft train adapter``: the files that it writes, going on after a stop, and bad input."""

from __future__ import annotations

import torch

from backend.catalog.header import read_header
from backend.cli.errors import DONE, FAILED, USAGE
from backend.train.adapter.sets import write_set
from tests.backend.models import tiny
from tests.backend.train.adapter.test_adapter import drawn

SMALL = ("--rank", 2, "--batch", 2, "--levels", 1, "--size", 32)


def begin(weft, out="a.safetensors", *more):
    return weft("train", "adapter", "set", "--model", "tiny", "--out", out, *SMALL, *more)


def prepared(weft) -> None:
    torch.set_num_threads(1)
    tiny.write(weft.folder / "tiny")
    write_set(weft.folder / "set", drawn(3, 0))


def test_a_set_becomes_a_file_with_its_pictures(weft):
    prepared(weft)
    done = begin(weft, "a.safetensors", "--steps", 3, "--json")
    assert done.status == DONE, done.err
    steps = [event for event in done.events if event["event"] == "step"]
    assert [event["done"] for event in steps] == [1, 2, 3]
    (last,) = (event for event in done.events if event["event"] == "trained")
    assert last["bytes"] == (weft.folder / "a.safetensors").stat().st_size
    assert read_header(weft.folder / "a.safetensors").metadata["weft.steps"] == "3"
    for name in ("a-samples.png", "a-loss.png"):
        assert (weft.folder / name).read_bytes().startswith(b"\x89PNG")
    more = begin(weft, "b.safetensors", "--steps", 5, "--json")
    assert [e["done"] for e in more.events if e["event"] == "step"] == [4, 5]


def test_bad_input_is_a_sentence(weft):
    prepared(weft)
    cases = [
        (begin(weft, "a.bin"), USAGE, "ends in .safetensors"),
        (begin(weft, "no/a.safetensors"), USAGE, "there is no folder no"),
        (begin(weft, "a.safetensors", "--form", "song"), FAILED, "no form of adapter 'song'"),
        (begin(weft, "a.safetensors", "--rank", 0), FAILED, "The rank is 0"),
        (begin(weft, "a.safetensors", "--form", "reference"), FAILED, "at least one picture"),
        (
            weft("train", "adapter", "nix", "--model", "tiny", "--out", "a.safetensors"),
            FAILED,
            "nix is no folder",
        ),
    ]
    for done, status, said in cases:
        assert (done.status, said in done.err) == (status, True), done.err
        assert "Traceback" not in done.err
    assert not list(weft.folder.glob("a*.safetensors"))
