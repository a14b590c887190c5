"""The manifest: whole lines only, whatever cuts it short."""

from __future__ import annotations

import os
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.batch.errors import BatchError
from backend.batch.manifest import Manifest, read, spans

HEADER = {"event": "batch", "version": 1, "parts": {"a": 1}, "draw": 5, "jobs": 3}


def job(index: int, status: str = "done", mark: str = "m", **more: object) -> dict:
    files = [{"path": f"ä-{index}.png", "hash": "blake3:0"}]
    return {"event": "job", "index": index, "mark": mark, "status": status,
            "files": files, "values": {}, **more}  # fmt: skip


LINES = [
    HEADER,
    {"event": "queued", "mark": "m", "jobs": [[1, 2], [4, 4]]},
    job(1),
    job(2, "failed", sentence="it\nfailed"),
    job(2, mark="n"),
]


def test_the_last_end_of_a_job_counts(tmp_path):
    path = tmp_path / "new" / "m.jsonl"
    with Manifest(path, new=True) as manifest:
        manifest.append(LINES[:2])
        manifest.append(LINES[2:])
        assert manifest.told.last[2].status == "done"
    with Manifest(path) as again:
        told = again.told
    assert told.header == HEADER
    assert told.queued == [("m", (1, 2, 4))]
    assert {index: (each.status, each.mark) for index, each in told.last.items()} == {
        1: ("done", "m"), 2: ("done", "n"),
    }  # fmt: skip
    assert told.ended == {("m", 1), ("m", 2), ("n", 2)}
    assert told.last[1].files == (("ä-1.png", "blake3:0"),)


@given(st.integers(0, 10_000), st.lists(st.sampled_from(LINES[1:]), max_size=6))
def test_cut_at_any_byte_the_lines_before_are_told(tmp_path_factory, cut, lines):
    path = tmp_path_factory.mktemp("cut") / "m.jsonl"
    with Manifest(path) as manifest:
        manifest.append([HEADER, *lines])
    data = path.read_bytes()
    ends = [place + 1 for place, byte in enumerate(data) if byte == 10]
    cut = cut % (len(data) + 1)
    path.write_bytes(data[:cut])
    kept = sum(end <= cut for end in ends)
    with Manifest(path) as manifest:
        assert path.read_bytes() == data[: ([0, *ends])[kept]]
        assert (manifest.told.header is None) == (kept == 0)
        rest = [HEADER, *lines][kept:]
        manifest.append(rest)
    assert path.read_bytes() == data
    assert read(data).last == manifest.told.last


def test_only_one_program_writes_it(tmp_path):
    path = tmp_path / "m.jsonl"
    with Manifest(path):
        with pytest.raises(BatchError, match="written by another program"):
            Manifest(path)
        with pytest.raises(BatchError, match="is there already"):
            Manifest(path, new=True)
    Manifest(path).close()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nonsense\n", "line 1: this is no line"),
        ('{"event": "job"}\n', "line 1: this is no line"),
        ("[]\n", "line 1: this is no line"),
        ('{"event": "batch", "version": 2, "parts": {}, "draw": 1}\n', "written by a newer Weft"),
        (
            '{"event": "batch", "version": 1, "parts": {}, "draw": 1, "jobs": 1}\n' * 2,
            "line 2: this is no",
        ),
    ],
)
def test_another_file_is_refused_and_left_as_it_is(tmp_path, text, why):
    path = tmp_path / "m.jsonl"
    path.write_text(text + "half")
    with pytest.raises(BatchError, match=why):
        Manifest(path)
    assert path.read_text() == text + "half"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no such files here")
def test_what_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(BatchError, match="cannot be written: Is a directory"):
        Manifest(tmp_path / "folder")
    with pytest.raises(BatchError, match="cannot be written"):
        Manifest(tmp_path / "folder" / "x" / ("n" * 300))


def test_a_write_that_fails_leaves_no_half_line(tmp_path, monkeypatch):
    real = os.write
    with Manifest(tmp_path / "m.jsonl") as manifest:
        manifest.append([HEADER])
        before = manifest.path.read_bytes()

        def full(file: int, data: bytes) -> int:
            if len(data) < 20:
                raise OSError(28, "No space left on device")
            return real(file, data[:-10])

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(BatchError, match="No space left"):
            manifest.append([job(1)])
        assert manifest.path.read_bytes() == before


@given(st.sets(st.integers(1, 200)))
def test_spans_say_which_jobs(places):
    written = spans(sorted(places))
    assert {p for low, high in written for p in range(low, high + 1)} == places
    assert all(low <= high for low, high in written)
    assert all(a[1] + 1 < b[0] for a, b in pairwise(written))
