"""``weft cache``, and what a second ``weft run`` finds of the first."""

from __future__ import annotations

import os

from backend.cli.errors import DONE, FAILED

SOLID = {"type": "solid_image", "params": {"width": 8, "height": 8, "color": "#102030"}}
FLOW = {
    "picture": SOLID,
    "soft": {"type": "blur", "inputs": {"image": "picture.image"}},
    "keep": {"type": "save_image", "params": {"name": "a"}, "inputs": {"image": "soft.image"}},
}
ALL = {"WEFT_CACHE_COSTLY": "0"}


def ran(done) -> set[str]:
    steps = [event for event in done.events if event["event"] == "step_done"]
    return {event["step"] for event in steps if not event["cached"]}


def files(weft) -> list:
    return sorted((weft.folder / "cache" / "weft" / "results").glob("*.safetensors"))


def test_a_second_run_keeps_the_file_and_names_it_again(weft):
    flow = weft.flow(FLOW)
    first = weft("run", flow)
    stamp = (weft.folder / "output" / "a.png").stat().st_mtime_ns
    second = weft("run", flow)
    assert first.out == second.out == os.path.join("output", "a.png") + "\n"
    assert "3 from the cache" in second.err
    assert (weft.folder / "output" / "a.png").stat().st_mtime_ns == stamp
    assert len(list((weft.folder / "output").iterdir())) == 1
    told = [event for event in weft("run", flow, "--json").events if event["event"] == "kept"]
    assert [event["path"] for event in told] == ["a.png"]


def test_a_file_that_was_removed_is_made_again_from_what_is_kept(weft):
    flow = weft.flow(FLOW)
    assert ran(weft("run", flow, "--json", **ALL)) == {"picture", "soft", "keep"}
    (weft.folder / "output" / "a.png").unlink()
    assert ran(weft("run", flow, "--json", **ALL)) == {"keep"}
    assert ran(weft("run", flow, "--json", "--set", "soft.radius=3", **ALL)) == {"soft", "keep"}


def test_no_cache_and_no_budget_leave_no_folder(weft):
    flow = weft.flow(FLOW)
    assert weft("run", flow, "--no-cache").status == DONE
    assert weft("run", flow, WEFT_CACHE_DISK="0").status == DONE
    assert not (weft.folder / "cache" / "weft" / "results").exists()


def test_info_counts_and_clear_empties(weft):
    nothing = weft("cache", "info", "--json").events[0]
    assert (nothing["results"], nothing["bytes"]) == (0, 0)
    weft("run", weft.flow(FLOW), **ALL)
    held = weft("cache", "info", "--json", WEFT_CACHE_DISK="5GiB").events[0]
    assert held["results"] == 3
    assert held["bytes"] == sum(path.stat().st_size for path in files(weft)) > 0
    assert held["budget"] == 5 * 2**30
    assert str(weft.folder / "cache" / "weft" / "results") in weft("cache", "info").out
    assert weft("cache", "clear").out.startswith("Removed 3 results of ")
    assert files(weft) == []
    assert (weft.folder / "output" / "a.png").exists()
    assert weft("cache", "info", "--json").events[0]["results"] == 0


def test_verify_removes_what_is_damaged_and_the_next_run_computes_it(weft):
    flow = weft.flow(FLOW)
    weft("run", flow, **ALL)
    good = weft("cache", "verify", "--json")
    assert (good.status, good.events[0]["sound"], good.events[0]["broken"]) == (DONE, 3, 0)
    for path in files(weft):
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
    bad = weft("cache", "verify", "--json")
    assert (bad.status, bad.events[0]["broken"]) == (FAILED, 3)
    assert weft("run", flow, **ALL).status == DONE


def test_damage_is_told_in_a_run_that_goes_on(weft):
    flow = weft.flow(FLOW)
    weft("run", flow, "--only", "soft", **ALL)
    for path in files(weft):
        path.write_bytes(b"")
    done = weft("run", flow, "--only", "soft", **ALL)
    assert done.status == DONE
    assert done.err.count("was damaged; it is computed again") == 1


def test_a_cache_folder_that_cannot_be_is_a_sentence(weft):
    (weft.folder / "file").write_text("mine")
    where = {"WEFT_FOLDERS_CACHE": str(weft.folder / "file")}
    done = weft("run", weft.flow(FLOW), **where)
    assert done.status == DONE
    assert "a file stands where the folder should be. The run goes on without." in done.err
    for command in ("info", "verify", "clear"):
        done = weft("cache", command, **where)
        assert "Traceback" not in done.err


def test_after_a_restart_no_costly_step_of_primer_runs_again(weft):
    """Real sampling in two processes; the picture is removed, so that something is left to do."""
    first = weft("run", "text-to-image", "--json")
    assert first.status == DONE, first.err
    took = {e["step"]: e["seconds"] for e in first.events if e["event"] == "step_done"}
    costly = {step for step, seconds in took.items() if seconds >= 0.5}
    assert costly
    (picture,) = (weft.folder / "output").iterdir()
    picture.unlink()
    again = ran(weft("run", "text-to-image", "--json"))
    assert "save" in again
    assert not again & costly
    assert picture.exists()
    assert ran(weft("run", "text-to-image", "--json")) == set()
