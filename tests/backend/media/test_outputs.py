"""The output folder: names, the overwrite rules, confinement, and many writers at once."""

import json
import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from backend.media.outputs import OutputFolder, sidecar_of
from backend.sdk import Cancelled, Saved, UserError


def put(content: bytes):
    """A writer as ``ctx.save`` hands one on."""
    return lambda path: path.write_bytes(content)


def must_not_run(path: Path) -> None:
    raise AssertionError("this must not be written")


def everything(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


def test_a_file_is_saved_under_its_name_and_nothing_else_stays(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path / "out")
    saved = folder.save("a/{node}-{counter:3}", ".png", put(b"one"), fields={"node": "save"})
    assert saved.path == "a/save-001.png"
    assert everything(tmp_path / "out") == ["a", "a/save-001.png"]
    assert (tmp_path / "out/a/save-001.png").read_bytes() == b"one"


def test_a_suffix_that_is_in_the_name_already_is_not_doubled(tmp_path: Path) -> None:
    assert OutputFolder(tmp_path).save("hill.PNG", ".png", put(b"")).path == "hill.png"


def test_date_and_time_are_there_without_being_given(tmp_path: Path) -> None:
    path = OutputFolder(tmp_path).save("{date}/{time}", ".png", put(b"")).path
    assert len(path) == len("2026-01-31/10-59-59.png")
    given = OutputFolder(tmp_path).save("{date}", ".png", put(b""), fields={"date": "today"})
    assert given.path == "today.png"


def test_number_finds_the_next_free_name(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    names = [folder.save("x", ".png", put(b"%d" % i)).path for i in range(3)]
    assert names == ["x.png", "x-2.png", "x-3.png"]
    assert [(tmp_path / name).read_bytes() for name in names] == [b"0", b"1", b"2"]


def test_a_counter_goes_on_behind_the_highest_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "x-0041.png").write_bytes(b"old")
    (tmp_path / "x-0050.jpg").write_bytes(b"another suffix")
    for overwrite in ("number", "replace", "refuse"):
        OutputFolder(tmp_path).save("x-{counter:4}", ".png", put(b"n"), overwrite=overwrite)
    assert {"x-0042.png", "x-0043.png", "x-0044.png"} < set(everything(tmp_path))
    assert (tmp_path / "x-0041.png").read_bytes() == b"old"


def test_replace_takes_the_place_and_its_sidecar(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)

    def with_sidecar(path: Path) -> None:
        path.write_bytes(b"one")
        sidecar_of(path).write_bytes(b"{}")

    folder.save("x", ".png", with_sidecar, overwrite="replace")
    assert everything(tmp_path) == ["x.png", "x.png.weft.json"]
    folder.save("x", ".png", put(b"two"), overwrite="replace")
    assert everything(tmp_path) == ["x.png"]
    assert (tmp_path / "x.png").read_bytes() == b"two"


def test_replace_takes_the_place_of_a_link_and_not_of_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"gold")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/x.png").symlink_to(tmp_path / "precious")
    OutputFolder(tmp_path / "out").save("x", ".png", put(b"new"), overwrite="replace")
    assert (tmp_path / "precious").read_bytes() == b"gold"
    assert not (tmp_path / "out/x.png").is_symlink()


def test_refuse_says_so_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"old")
    with pytest.raises(UserError, match=r"'x\.png' is already in the output folder"):
        OutputFolder(tmp_path).save("x", ".png", must_not_run, overwrite="refuse")


def test_refuse_holds_even_when_the_name_is_taken_meanwhile(tmp_path: Path) -> None:
    def slow(path: Path) -> None:
        path.write_bytes(b"mine")
        (tmp_path / "x.png").write_bytes(b"theirs")

    with pytest.raises(UserError, match="already"):
        OutputFolder(tmp_path).save("x", ".png", slow, overwrite="refuse")
    assert everything(tmp_path) == ["x.png"]
    assert (tmp_path / "x.png").read_bytes() == b"theirs"


def test_a_number_is_free_only_with_its_sidecar_name(tmp_path: Path) -> None:
    (tmp_path / "x.png.weft.json").write_bytes(b"of another picture")
    assert OutputFolder(tmp_path).save("x", ".png", put(b"")).path == "x-2.png"


def test_a_folder_that_leads_outside_by_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out/sub").symlink_to(tmp_path / "elsewhere")
    for name in ("sub/x", "sub/deep/x"):
        with pytest.raises(UserError, match="leads outside by a link"):
            OutputFolder(tmp_path / "out").save(name, ".png", put(b""))
    assert everything(tmp_path / "elsewhere") == []


def test_a_link_within_the_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "big").mkdir()
    (tmp_path / "sub").symlink_to(tmp_path / "big")
    assert OutputFolder(tmp_path).save("sub/x", ".png", put(b"")).path == "big/x.png"


def test_the_output_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    folder = OutputFolder(tmp_path / "out")
    saved = folder.save("a/x", ".png", put(b"1"))
    assert (tmp_path / "disk/a/x.png").exists()
    assert folder.holds(saved)


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "~/../x", ".x", "a/.weft-x"])
def test_names_that_leave_the_folder_make_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="output name"):
        OutputFolder(tmp_path / "out").save(name, ".png", put(b""))
    assert everything(tmp_path) == []


def test_a_wrong_suffix_or_rule_is_a_sentence(tmp_path: Path) -> None:
    for suffix in ("png", "./../x", ".p/ng", ""):
        with pytest.raises(UserError, match="suffix"):
            OutputFolder(tmp_path).save("x", suffix, put(b""))
    with pytest.raises(UserError, match="number, replace, refuse"):
        OutputFolder(tmp_path).save("x", ".png", put(b""), overwrite="yes")


def test_holds_only_the_same_bytes_in_the_same_place(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path / "out")
    saved = folder.save("x", ".png", put(b"one"))
    assert folder.holds(saved)
    (tmp_path / "out/x.png").write_bytes(b"two")
    assert not folder.holds(saved)
    (tmp_path / "out/x.png").unlink()
    assert not folder.holds(saved)
    (tmp_path / "out/x.png").mkdir()
    assert not folder.holds(saved)
    (tmp_path / "y.png").write_bytes(b"one")
    assert not folder.holds(Saved("../y.png", saved.hash))
    assert not folder.holds(Saved("y\0.png", saved.hash))


@pytest.mark.parametrize("stop", [Cancelled, KeyboardInterrupt, ZeroDivisionError, UserError])
def test_whatever_stops_the_writer_leaves_nothing(tmp_path: Path, stop: type) -> None:
    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        sidecar_of(path).write_bytes(b"half")
        raise stop

    with pytest.raises(stop):
        OutputFolder(tmp_path / "out").save("deep/er/x", ".png", fail)
    assert everything(tmp_path) == []


def test_a_writer_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'x\.png' could not be saved"):
        OutputFolder(tmp_path).save("x", ".png", lambda path: None)
    assert everything(tmp_path) == []


def test_while_writing_the_intent_names_the_temporary_files(tmp_path: Path) -> None:
    def look(path: Path) -> None:
        assert path.parent == tmp_path / "sub"
        (intent,) = tmp_path.glob(".weft-*.intent")
        lines = [json.loads(line) for line in intent.read_text().splitlines()]
        assert {"temporary": f"sub/{path.name}"} in lines
        path.write_bytes(b"")

    OutputFolder(tmp_path).save("sub/x", ".png", look)
    assert everything(tmp_path) == ["sub", "sub/x.png"]


def save_some(root: str, mark: str, count: int) -> list[str]:
    folder = OutputFolder(Path(root))
    return [folder.save("x-{counter}", ".bin", put(f"{mark}{i}".encode())).path
            for i in range(count)]  # fmt: skip


def test_processes_that_save_at_once_never_overwrite_each_other(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        jobs = [pool.apply_async(save_some, (str(tmp_path), mark, 25)) for mark in "abc"]
        names = [name for job in jobs for name in job.get(timeout=60)]
    assert len(set(names)) == 75
    contents = {path.read_text() for path in tmp_path.iterdir()}
    assert contents == {f"{mark}{i}" for mark in "abc" for i in range(25)}


def test_threads_that_share_a_folder_number_without_gaps_lost(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(lambda i: folder.save("x", ".png", put(b"%d" % i)).path, range(40)))
    assert len(set(names)) == 40
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {b"%d" % i for i in range(40)}


def test_without_hard_links_names_are_still_claimed_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*args, **kwargs):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", no_links)
    assert save_some(str(tmp_path), "a", 3) == ["x-1.bin", "x-2.bin", "x-3.bin"]
    with pytest.raises(UserError, match="already"):
        OutputFolder(tmp_path).save("x-2", ".bin", put(b""), overwrite="refuse")
    assert (tmp_path / "x-2.bin").read_text() == "a1"
    assert len(everything(tmp_path)) == 3
