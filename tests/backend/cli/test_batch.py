"""``weft batch`` with real processes: each job once, told in the manifest, whoever is killed."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from backend.cli.batch_run import divided
from backend.cli.errors import CANCELLED, DONE, FAILED, INVALID, USAGE
from backend.media.images import read_image
from backend.settings.declared import Cache, Host, Run, Settings
from tests.backend.cli.conftest import ROOT

NODES = {
    "picture": {"type": "solid_image", "params": {"width": 8, "height": 8, "color": "#102030"}},
    "keep": {
        "type": "save_image",
        "params": {"name": "kept-{counter}"},
        "inputs": {"image": "picture.image"},
    },
}
LOADING = {
    "from": {"type": "load_image", "params": {"file": ""}},
    "keep": {"type": "save_image", "params": {"name": "k"}, "inputs": {"image": "from.image"}},
}
WIDE = {"expose": {"wide": {"node": "picture", "param": "width"}}}


@pytest.fixture
def weft(weft):
    weft.environment["WEFT_HOST_STANDBY"] = "false"
    return weft


def outputs(weft) -> list[str]:
    found = (weft.folder / "output").rglob("*")
    return sorted(path.name for path in found if path.is_file() and path.suffix != ".jsonl")


def manifest(weft, name: str = "m.jsonl") -> list[dict]:
    lines = (weft.folder / name).read_bytes().splitlines()
    return [line for line in map(json.loads, lines) if line["event"] == "job"]


def queued(weft) -> list[dict]:
    return [each for each in weft("queue", "list", "--json").events if each["event"] == "job"]


def test_a_table_times_a_sweep_is_run_named_told_and_shown(weft):
    flow = weft.flow(NODES, **WIDE)
    (weft.folder / "rows.csv").write_text("wide,picture.color\n9,#ff0000\n,#00f\n", "utf-8-sig")
    batch = ("batch", flow, "--table", "rows.csv", "--sweep", "picture.height=4:8:3",
             "--name", "{row}-{wide}x{picture.height}-{index:3}", "--title", "squares")  # fmt: skip
    done = weft(*batch, "--sheet", "sheet.png", "--json")
    assert done.status == DONE, done.err
    names = ["1-9x4-001", "1-9x6-002", "1-9x8-003", "2-8x4-004", "2-8x6-005", "2-8x8-006"]
    assert outputs(weft) == [f"{name}.png" for name in names]
    ends = [event for event in done.events if event["event"] == "job"]
    assert [(e["index"], e["row"], e["status"]) for e in ends] == [
        (n, 1 + (n > 3), "done") for n in range(1, 7)
    ]
    assert ends[0]["values"] == {"wide": 9, "picture.color": "#ff0000", "picture.height": 4}
    assert ends[3]["values"] == {"picture.color": "#0000ff", "picture.height": 4}
    assert done.events[-1]["event"] == "batch"
    assert (done.events[-1]["done"], done.events[-1]["left"]) == (6, 0)
    place = done.events[-1]["manifest"]
    assert Path(place).parent == weft.folder / "output"
    assert manifest(weft, place) == ends
    (sheet,) = read_image(weft.folder / "sheet.png")
    assert (sheet.width, sheet.height) == (3 * 138 - 10, 2 * (138 + 3 * 17) - 10)
    assert sheet.pixels[0, 64, 64].tolist() == [1, 0, 0]
    shown = weft("history", "search", "squares 4/6", "--json").events
    assert [output["path"] for output in shown[0]["outputs"]] == ["2-8x4-004.png"]
    # Nothing is left to do; then one file is lost, and only its job runs again.
    assert weft(*batch, "--resume").status == DONE
    assert len(manifest(weft, place)) == 6
    (weft.folder / "output" / "2-8x6-005.png").unlink()
    again = weft(*batch, "--resume")
    assert again.status == DONE, again.err
    assert [line["index"] for line in manifest(weft, place)][6:] == [5]
    assert outputs(weft) == [f"{name}.png" for name in names]
    other = weft(*batch, "--resume", "--sweep", "keep.quality=1,2")
    assert other.status == USAGE
    assert "is the manifest of another batch: not the same are --sweep (it has 6 jobs" in other.err


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there are no signals here")
def test_killed_again_and_again_it_goes_on_and_doubles_nothing(weft):
    weft.environment["WEFT_QUEUE_ATTEMPTS"] = "50"
    flow = weft.flow(NODES)
    batch = ("batch", flow, "--sweep", "picture.width=1:6:6", "--name", "k-{index:2}",
             "--manifest", "m.jsonl", "--json")  # fmt: skip
    more: tuple[str, ...] = ()
    for line in (2, 4, 5):  # a job began; one was saved, and written down
        with weft.start(*batch, *more, stdout=subprocess.PIPE) as running:
            for _ in range(line):
                assert running.stdout.readline()
            running.kill()
        more = ("--resume",)
    with (weft.folder / "m.jsonl").open("ab") as file:
        file.write(b'{"event": "job", "ind')
    done = weft(*batch, *more)
    assert done.status == DONE, done.err
    assert outputs(weft) == [f"k-{n:02}.png" for n in range(1, 7)]
    assert sorted(line["index"] for line in manifest(weft)) == [1, 2, 3, 4, 5, 6]
    assert {line["status"] for line in manifest(weft)} == {"done"}
    assert queued(weft) == []


def test_ctrl_c_says_how_to_go_on_and_what_waits_waits_for_that(weft):
    flow = weft.flow(NODES)
    batch = ("batch", flow, "--sweep", "picture.width=1:20:20", "--manifest", "m.jsonl")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with weft.start(*batch, **pipes) as running:
        for _ in range(3):  # two jobs have ended when the third has saved
            running.stdout.readline()
        running.send_signal(signal.SIGINT)
        said = running.communicate()[1]
    assert running.returncode == CANCELLED
    assert "To go on: the same command with --resume --manifest m.jsonl" in said
    waiting = queued(weft)
    assert 0 < len(waiting) < 20
    assert all(job["paused"] for job in waiting)
    assert len(manifest(weft)) == 20 - len(waiting)
    done = weft(*batch, "--resume")
    assert done.status == DONE, done.err
    assert sorted(line["index"] for line in manifest(weft)) == list(range(1, 21))
    assert len(outputs(weft)) == 20


def test_what_is_only_queued_is_run_by_others_and_written_down_later(weft):
    weft.flow(NODES)
    flow = weft.flow({**NODES, "keep": {**NODES["keep"], "params": {"name": "x-{counter}"}}})
    batch = ("batch", flow, "--sweep", "picture.width=1,2", "--manifest", "m.jsonl")
    done = weft(*batch, "--queue")
    assert done.status == DONE, done.err
    assert done.out.startswith("Queued 2 jobs: flow. `weft queue run` runs them;")
    assert [job["title"] for job in queued(weft)] == ["flow 1/2", "flow 2/2"]
    assert manifest(weft) == []
    again = weft(*batch, "--queue")
    assert again.status == USAGE
    assert "m.jsonl is there already. Write --resume" in again.err
    assert weft("queue", "cancel", "2").status == DONE
    assert weft("queue", "run").status == DONE
    assert weft(*batch, "--resume", "--queue").status == DONE
    assert [(line["index"], line["status"]) for line in manifest(weft)] == [
        (2, "cancelled"), (1, "done"),
    ]  # fmt: skip
    assert [job["title"] for job in queued(weft)] == ["flow 2/2"]  # it is asked for once more


def test_files_are_jobs_where_they_may_be_read_and_failures_can_be_retried(weft):
    flow = weft.flow(LOADING, name="a/flow.weft.json")
    for name in ("a/in/2.png", "a/in/10.png", "b/x.png"):
        (weft.folder / name).parent.mkdir(parents=True, exist_ok=True)
    weft("run", weft.flow({**NODES, "keep": {**NODES["keep"], "params": {"name": "2"}}}),
         "--out", "a/in")  # fmt: skip
    (weft.folder / "a/in/10.png").write_bytes((weft.folder / "a/in/2.png").read_bytes())
    (weft.folder / "b/x.png").write_bytes((weft.folder / "a/in/2.png").read_bytes())
    done = weft("batch", flow, "--each", "from.file=b/*.png")
    assert done.status == USAGE
    assert "--each from.file, b/x.png: " in done.err
    assert "is outside what this workflow may read" in done.err
    (weft.folder / "rows.jsonl").write_text('{"from.file": "../b/x.png"}\n')
    done = weft("batch", flow, "--table", "rows.jsonl")
    assert "rows.jsonl, row 1 (line 1), column from.file: " in done.err
    assert "is outside what this workflow may read" in done.err
    batch = ("batch", flow, "--each", "from.file=in/*.png", "--name", "{index}-{from.file}",
             "--manifest", "m.jsonl", "--json")  # fmt: skip
    with weft.start(*batch, stdout=subprocess.PIPE) as running:
        running.stdout.readline()  # it was found, and the manifest begins
        (weft.folder / "a/in/10.png").write_text("spoilt")
        running.communicate()
    assert running.returncode == FAILED
    assert outputs(weft) == ["1-2.png"]
    first, second = manifest(weft)
    assert (first["status"], second["status"]) == ("done", "failed")
    assert "10.png" in second["sentence"]
    (weft.folder / "a/in/10.png").write_bytes((weft.folder / "a/in/2.png").read_bytes())
    assert weft(*batch, "--resume").status == FAILED
    assert len(manifest(weft)) == 2
    done = weft(*batch, "--resume", "--retry-failed")
    assert done.status == DONE, done.err
    assert outputs(weft) == ["1-2.png", "2-10.png"]


def test_two_hosts_share_the_jobs_and_primer_draws_them(weft):
    batch = ("batch", "text-to-image", "--set", "sample.steps=1", "--sweep", "seed=5,6",
             "--sweep", "prompt=a red circle,a blue star", "--manifest", "m.jsonl")  # fmt: skip
    done = weft(*batch, "--jobs", "2", "--device", "cpu", "--memory", "64MiB", "--json")
    assert done.status == DONE, done.err
    assert [event["event"] for event in done.events[:3]] == ["begins", "begun", "begun"]
    ends = sorted(manifest(weft), key=lambda line: line["index"])
    assert [line["seeds"] for line in ends] == [{"sample.seed": seed} for seed in (5, 5, 6, 6)]
    hashes = {file["hash"] for line in ends for file in line["files"]}
    assert len(hashes) == 4
    assert len(outputs(weft)) == 4


def test_hosts_at_once_share_memory_and_cores():
    run = Run(device="cpu", memory=900, host_memory=600, threads=7)
    settings = Settings(run=run, host=Host(memory=3000), cache=Cache(memory=300))
    each = divided(settings, 3)
    assert (each.run.memory, each.run.host_memory, each.run.threads) == (300, 200, 2)
    assert (each.host.memory, each.host.standby, each.cache.memory) == (1000, False, 100)
    assert divided(settings, 1) is settings


def test_seeds_at_random_are_the_same_when_it_goes_on(weft):
    batch = ("batch", "text-to-image", "--set", "sample.seed=random", "--sweep",
             "prompt=a circle,a star", "--manifest", "m.jsonl", "--queue")  # fmt: skip
    assert weft(*batch).status == DONE
    drawn = [job["seeds"]["sample.seed"] for job in queued(weft)]
    assert drawn[0] != drawn[1]
    weft("queue", "cancel", "--all")
    assert weft(*batch, "--resume").status == DONE
    assert [job["seeds"]["sample.seed"] for job in queued(weft)] == drawn


def test_a_dry_run_shows_the_jobs_and_what_is_loaded_and_writes_nothing(weft):
    done = weft("batch", "text-to-image", "--sweep", "sample.steps=1:20:20", "--dry-run",
                "--device", "cpu", "--memory", "64MiB")  # fmt: skip
    assert done.status == DONE, done.err
    lines = done.out.splitlines()
    assert lines[0].split() == ["1", "sample.steps", "=", "1"]
    assert lines[10:12] == ["        and 9 more, the last:", "    20  sample.steps = 20"]
    assert "20 jobs; outputs go to" in done.out
    assert "loads primer/transformer" in done.out
    assert not (weft.folder / "output").exists()
    assert queued(weft) == []
    done = weft("batch", "text-to-image", "--sweep", "seed=1,2", "--dry-run", "--json")
    assert [event["values"] for event in done.events[:2]] == [{"seed": 1}, {"seed": 2}]
    assert done.events[-1]["event"] == "memory"


TABLES = {
    "wide,nothing\n1,2\n": "rows.csv, column nothing: the workflow exposes no parameter",
    "picture.widht\n1\n": "rows.csv, column picture.widht: solid_image has no parameter widht. Did",
    "wide\n1\nmany\n": "rows.csv, row 2 (line 3), column wide: 'many' is not a whole number.",
    "wide,picture.color\n1\n": "row 1 (line 2), column picture.color: the cell is missing",
    "wide,wide\n1,2\n": "rows.csv, line 1: the column 'wide' is there twice.",
    "wide,picture.width\n1,2\n": "rows.csv sets picture.width, which rows.csv sets too (there",
    "wide\n0\n": "rows.csv, row 1 (line 2), column wide: 0 is outside 1 to",
    "seed\n1\n": "rows.csv: no node of the workflow has a seed that no link feeds.",
    "picture.color\nreddish\n": "rows.csv, row 1 (line 2), column picture.color: ",
}


def test_a_bad_table_is_a_sentence_before_anything_runs(weft):
    flow = weft.flow(NODES, **WIDE)
    for text, said in TABLES.items():
        (weft.folder / "rows.csv").write_text(text)
        done = weft("batch", flow, "--table", "rows.csv")
        assert (done.status, said in done.err) == (USAGE, True), done.err
        assert "Traceback" not in done.err
    assert not (weft.folder / "output").exists()
    assert queued(weft) == []


def wrong() -> dict[str, tuple[int, str]]:
    wide = "--sweep picture.width=1,2"
    return {
        "": (USAGE, "Say what the jobs differ in: --table, --sweep or --each."),
        "--sweep wide": (USAGE, "--sweep wide: write NODE.PARAM=a,b,c"),
        "--sweep wide=1,x": (USAGE, "--sweep wide: 'x' is not a whole number."),
        "--each wide=*.png": (USAGE, "--each wide: this parameter takes no file."),
        f"{wide} --sweep wide=3": (USAGE, "--sweep wide sets wide, which --sweep picture.width"),
        f"{wide} --retry-failed": (USAGE, "go with --resume."),
        f"{wide} --resume": (USAGE, "to go on with. Name it with --manifest"),
        f"{wide} --resume --manifest no.jsonl": (USAGE, "no.jsonl: there is no such file"),
        f"{wide} --name '{{x}}'": (USAGE, "{x} is not known. There are {row}, {index},"),
        f"{wide} --set keep.overwrite=refuse --name a": (USAGE, "Jobs 1 and 2 would both write a"),
        f"{wide} --sheet s.gif": (USAGE, "a sheet is a .png file."),
        f"{wide} --seed 3": (USAGE, "--seed: no node of the workflow has a seed"),
        f"{wide} --jobs 0": (USAGE, "--jobs"),
        f"{wide} --out flow.weft.json": (USAGE, "is a file, not a folder."),
        "--sweep wide=1:400:400 --sweep picture.height=1:400:400": (
            USAGE,
            "400 x 400 = 160000 jobs, and at most 100000",
        ),
    }


def test_what_cannot_be_is_a_sentence(weft):
    weft.flow(NODES, **WIDE)
    for arguments, (status, said) in wrong().items():
        done = weft("batch", "flow.weft.json", *shlex.split(arguments))
        assert (done.status, said in done.err) == (status, True), (arguments, done.err, done.out)
    lonely = weft.flow({"keep": {"type": "save_image"}})
    done = weft("batch", lonely, "--sweep", "keep.quality=1,2", "--json")
    assert done.status == INVALID
    assert done.err == "Job 1 (keep.quality = 1) has errors; no job was queued.\n"
    assert [event["event"] for event in done.events] == ["diagnostic", "error"]
    assert queued(weft) == []


def test_the_example_of_the_page_runs(weft):
    page = (ROOT / "docs" / "batch.md").read_text()
    table = page.partition("rows.csv:\n\n")[2].partition("\n\n")[0]
    lines = [line.strip() for line in table.splitlines()]
    (weft.folder / "rows.csv").write_text("\n".join(lines) + "\n")
    (command,) = [line.strip() for line in page.splitlines() if "--table rows.csv --sweep" in line]
    done = weft(*shlex.split(command)[1:], "--set", "sample.steps=1")
    assert done.status == DONE, done.err
    assert len(outputs(weft)) == 4
    assert (weft.folder / "sheet.png").is_file()
