"""``weft train adapter``: the files that it writes, going on after a stop, and bad input."""

from __future__ import annotations

import torch

from backend.catalog.header import read_header
from backend.cli.errors import DONE, FAILED, USAGE
from backend.train.adapter.sets import read_set, write_set
from backend.train.task import tasks
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


def test_the_world_draws_a_set_for_each_of_its_tasks(weft):
    for kind, task in tasks().items():
        done = weft("train", "set", kind, "--out", kind, "--count", 2, "--json")
        assert done.status == DONE, done.err
        (said,) = done.events
        assert (said["count"], said["form"]) == (2, task.form)
        first, second = read_set(weft.folder / kind)
        assert first.picture.read_bytes() != second.picture.read_bytes()
        assert len(first.references) == len(task.example(0, 0).references)
    again = weft("train", "set", "edges", "--out", "more", "--count", 2, "--seed", 0)
    assert again.status == DONE
    one, other = (read_set(weft.folder / name)[1] for name in ("edges", "more"))
    assert one.picture.read_bytes() == other.picture.read_bytes()


def test_a_set_of_no_kind_or_over_another_is_refused(weft):
    assert (
        "There is no kind of set called 'edge'. Did you mean"
        in weft("train", "set", "edge", "--out", "a").err
    )
    (weft.folder / "full").mkdir()
    (weft.folder / "full" / "mine.txt").write_text("mine")
    refused = weft("train", "set", "edges", "--out", "full", "--count", 1)
    assert (refused.status, "full is not an empty folder" in refused.err) == (USAGE, True)
    assert [path.name for path in (weft.folder / "full").iterdir()] == ["mine.txt"]
