"""``weft run`` and ``weft plan`` with real workflows, files and signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest

from backend.cli.errors import CANCELLED, DONE, FAILED, INVALID, USAGE

SOLID = {"type": "solid_image", "params": {"width": 8, "height": 8, "color": "#102030"}}
TWO = {
    "picture": SOLID,
    "soft": {"type": "blur", "inputs": {"image": "picture.image"}},
    "keep": {
        "type": "save_image",
        "params": {"name": "kept-{counter:4}"},
        "inputs": {"image": "soft.image"},
    },
    "other": {
        "type": "save_image",
        "params": {"name": "other"},
        "inputs": {"image": "picture.image"},
    },
}


def outputs(weft, folder: str = "output") -> list[str]:
    found = (weft.folder / folder).rglob("*")
    return sorted(path.name for path in found if path.is_file() and path.suffix == ".png")


def test_a_run_writes_its_outputs_and_prints_their_paths(weft):
    done = weft("run", weft.flow(TWO))
    assert done.status == DONE, done.err
    assert sorted(done.out.splitlines()) == [
        os.path.join("output", "kept-0001.png"),
        os.path.join("output", "other.png"),
    ]
    assert "soft: " in done.err
    assert done.err.splitlines()[-1].startswith("Done in ")
    assert outputs(weft) == ["kept-0001.png", "other.png"]


def test_out_chooses_the_folder_and_what_is_computed_again_gets_a_number(weft):
    flow = weft.flow(TWO)
    where = ("--out", "elsewhere/deep", "--only", "keep", "--no-cache")
    for expected in (["kept-0001.png"], ["kept-0001.png", "kept-0002.png"]):
        assert weft("run", flow, *where).status == DONE
        assert outputs(weft, "elsewhere/deep") == expected


def test_only_runs_what_that_node_needs(weft):
    done = weft("run", weft.flow(TWO), "--only", "soft", "--json")
    ran = [event["step"] for event in done.events if event["event"] == "step_done"]
    assert ran == ["picture", "soft"]
    assert outputs(weft) == []


def test_only_of_a_node_that_is_not_there_names_the_near_one(weft):
    done = weft("run", weft.flow(TWO), "--only", "sotf")
    assert done.status == USAGE
    assert "--only sotf: the workflow has no node of this name. Did you mean soft?" in done.err


def test_in_json_every_line_is_an_event(weft):
    done = weft("run", weft.flow(TWO), "--json")
    kinds = [event["event"] for event in done.events]
    assert kinds[0] == "run_started"
    assert kinds[-1] == "run_finished"
    assert kinds.count("saved") == 2
    assert done.err == ""


def test_set_changes_a_parameter_of_this_run_alone(weft):
    flow = weft.flow(TWO, expose={"name": {"node": "other", "param": "name"}})
    before = flow.read_bytes()
    done = weft("run", flow, "--set", "name=new", "--set", "picture.width=9", "--only", "other")
    assert done.status == DONE, done.err
    assert "(Image 9x8x3, 1)" in done.err
    assert outputs(weft) == ["new.png"]
    assert flow.read_bytes() == before


def test_set_with_a_wrong_name_runs_nothing(weft):
    done = weft("run", weft.flow(TWO), "--set", "picture.widht=9")
    assert done.status == USAGE
    assert "Did you mean width?" in done.err
    assert not (weft.folder / "output").exists()


def test_a_file_named_by_set_may_be_read(weft):
    weft("run", weft.flow(TWO), "--only", "other")
    load = {
        "read": {"type": "load_image", "params": {"file": "nothing.png"}},
        "keep": {"type": "save_image", "inputs": {"image": "read.image"}},
    }
    flow = weft.flow(load, "flows/load.weft.json")
    done = weft("run", flow, "--set", "read.file=output/other.png", "--out", "again")
    assert done.status == DONE, done.err
    (written,) = (weft.folder / "again").glob("*.png")
    assert str(weft.folder) not in json.dumps(weft("info", written, "--json").events)


def test_seed_reaches_the_seeds_of_the_workflow(weft):
    flow = weft.flow(
        {
            "noise": {"type": "noise", "params": {"seed": "random"}},
            "seen": {"type": "show", "inputs": {"value": "noise.noise"}},
        }
    )
    done = weft("run", flow, "--only", "seen", "--seed", "41", "--json")
    assert done.status == DONE, done.out + done.err
    assert done.events[0]["seeds"] == {"noise.seed": 41}


def test_a_shown_text_is_printed_whole_beside_what_is_saved(weft):
    """``show`` is an end of a run, which the check knows, and its text is not cut short."""
    text = "a red circle left of a blue square, " * 10 + "\nand a green one"
    nodes = TWO | {
        "words": {"type": "text", "params": {"value": text}},
        "seen": {"type": "show", "inputs": {"value": "words.text"}},
    }
    assert "W40" not in weft("check", weft.flow(nodes)).out
    done = weft("run", weft.flow(nodes))
    assert done.status == DONE, done.err
    assert f"seen:\n{text}\n" in done.out
    alone = weft.flow({name: nodes[name] for name in ("words", "seen")})
    assert "W401" not in weft("check", alone).out
    (event,) = (e for e in weft("run", alone, "--json").events if e.get("step") == "seen"
                and e["event"] == "step_done")  # fmt: skip
    assert len(event["outputs"]["value"]) == 60


def test_a_failed_branch_is_status_1_and_the_other_branch_is_finished(weft):
    nodes = TWO | {
        "gone": {"type": "load_image", "params": {"file": "gone.png"}},
        "lost": {"type": "save_image", "inputs": {"image": "gone.image"}},
    }
    done = weft("run", weft.flow(nodes))
    assert done.status == FAILED
    assert "gone failed: 'gone.png' does not exist." in done.err
    assert "lost was left out because gone failed." in done.err
    assert outputs(weft) == ["kept-0001.png", "other.png"]


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "cuda:99", "cpu:1"])
def test_a_device_that_is_none_is_wrong_usage(weft, device):
    done = weft("run", weft.flow(TWO), "--device", device)
    assert done.status == USAGE
    assert f"--device {device}" in done.err


def test_no_cache_computes_equal_steps_each_by_itself(weft):
    twins = {
        "picture": SOLID,
        "one": {"type": "invert", "inputs": {"image": "picture.image"}},
        "two": {"type": "invert", "inputs": {"image": "picture.image"}},
        "both": {"type": "grid", "inputs": {"images": ["one.image", "two.image"]}},
    }
    flow = weft.flow(twins)
    assert weft("run", flow, "--json").events[-1]["ran"] == 3
    assert weft("run", flow, "--json", "--no-cache").events[-1]["ran"] == 4


def test_shipped_examples_go_by_their_name_from_any_folder(weft):
    done = weft("run", "loop")
    assert done.status == DONE, done.err
    assert len(outputs(weft)) == 1
    wrong = weft("run", "lop")
    assert wrong.status == USAGE
    assert "Did you mean loop?" in wrong.err


def slow_flow(weft):
    """Minutes of small turns, so that there is always something to cancel."""
    turn = {"soft": {"type": "blur", "version": 1, "inputs": {"image": "$.image"}}}
    return weft.flow(
        {
            "picture": SOLID | {"params": {"width": 512, "height": 512}},
            "loop": {
                "type": "repeat",
                "params": {"times": 10_000},
                "inputs": {"carry": {"image": "picture.image"}},
                "body": {"nodes": turn, "outputs": {"image": "soft.image"}},
            },
            "keep": {"type": "save_image", "inputs": {"image": "loop.image"}},
        }
    )


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", 1)])
def test_a_signal_cancels_cleanly(weft, number, terminal):
    run = weft.start("run", slow_flow(weft), "--json", stdout=subprocess.PIPE)
    for line in run.stdout:
        if json.loads(line)["event"] == "step_done":
            break
    run.send_signal(number)
    rest = [json.loads(line) for line in run.stdout]
    run.stdout.close()
    assert run.wait(60) == CANCELLED
    assert rest[-1]["event"] == "run_finished"
    assert rest[-1]["status"] == "cancelled"
    assert outputs(weft) == []


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_nohup_keeps_a_run_going_when_its_terminal_is_closed(weft):
    ignored = {"preexec_fn": lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)}
    run = weft.start("run", slow_flow(weft), "--json", stdout=subprocess.PIPE, **ignored)
    for line in run.stdout:
        if json.loads(line)["event"] == "step_done":
            break
    run.send_signal(signal.SIGHUP)
    for line in run.stdout:
        if json.loads(line)["event"] == "step_done":
            break
    run.send_signal(signal.SIGTERM)
    run.stdout.read()
    run.stdout.close()
    assert run.wait(60) == CANCELLED


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_second_signal_leaves_at_once(weft):
    """The node sits in one call that asks nobody, so the first signal alone would have to wait."""
    stuck = (
        "import threading, nodes.text as t\n"
        "from backend.cli import main\n"
        "def sit(ctx, value=''):\n    print('sitting', flush=True); threading.Event().wait()\n"
        "t.text.function = sit\n"
        "main(['run', 'flow.weft.json', '--only', 'hello'])\n"
    )
    weft.flow({"hello": {"type": "text"}})
    run = subprocess.Popen(
        [*weft.command()[:1], "-c", stuck],
        cwd=weft.folder,
        env=weft.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stdout.readline() == "sitting\n"
    run.send_signal(signal.SIGINT)
    while "once more" not in run.stderr.readline():
        pass
    run.send_signal(signal.SIGINT)
    assert run.wait(30) == CANCELLED
    run.stdout.close()
    run.stderr.close()


def test_a_node_that_breaks_is_a_sentence_and_a_log(weft):
    broken = (
        "import nodes.text as t\n"
        "from backend.cli import main\n"
        "def fail(ctx, value=''):\n    raise KeyError('inside')\n"
        "t.text.function = fail\n"
        "main(['run', 'flow.weft.json', '--only', 'hello'])\n"
    )
    weft.flow({"hello": {"type": "text"}})
    done = subprocess.run(
        [*weft.command()[:1], "-c", broken],
        cwd=weft.folder,
        env=weft.environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == FAILED
    assert "hello failed: " in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    (log,) = weft.folder.rglob("weft.log")
    assert str(log) in done.stderr
    assert "KeyError: 'inside'" in log.read_text()


def test_plan_tells_every_step_in_order_and_runs_nothing(weft):
    flow = weft.flow(TWO)
    done = weft("plan", flow, "--json")
    *steps, last = done.events
    assert steps[0]["id"] == "picture"
    assert {step["status"] for step in steps} == {"run"}
    assert last["event"] == "plan"
    assert last["run"] == 4
    assert weft("plan", flow).out.splitlines()[-1] == "4 steps: 4 run."
    assert not (weft.folder / "output").exists()


def test_plan_of_a_workflow_with_errors_is_status_3(weft):
    done = weft("plan", weft.flow({"soft": {"type": "blur"}}))
    assert done.status == INVALID
    assert "nodes.soft" in done.out


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "tiff"])
def test_a_picture_is_a_flow(weft, kind):
    keep = {"type": "save_image", "inputs": {"image": "picture.image"}}
    keep["params"] = {"format": kind, "name": "made"}
    made = weft("run", weft.flow({"picture": SOLID, "keep": keep})).out.strip()
    again = weft("run", made, "--set", "picture.width=9", "--out", "again")
    assert again.status == DONE, again.err
    assert "9x8" in again.err
    checked = weft("check", made)
    assert (checked.status, checked.out) == (
        DONE,
        f"{os.path.basename(made)} has no errors (2 steps).\n",
    )
    assert weft("plan", made).status == DONE


def test_a_picture_reads_no_more_than_any_flow(weft):
    nodes = {
        "photo": {"type": "load_image", "params": {"file": "photo.png"}},
        "keep": {"type": "save_image", "inputs": {"image": "photo.image"}},
    }
    (weft.folder / "in").mkdir()
    picture = weft("run", weft.flow({"picture": SOLID, "keep": TWO["other"]})).out.strip()
    photo = (weft.folder / picture).rename(weft.folder / "in" / "photo.png")
    made = weft("run", weft.flow(nodes, name="in/flow.weft.json"), "--out", "out").out.strip()
    refused = weft("run", made)
    assert refused.status == FAILED
    assert "'photo.png' does not exist" in refused.err
    photo.rename(weft.folder / "out" / "photo.png")
    assert weft("run", made).status == DONE


def test_a_picture_that_carries_nothing_is_status_3_in_json_too(weft):
    (weft.folder / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    for command in ("run", "check", "plan"):
        done = weft(command, "x.png", "--json")
        assert done.status == INVALID
        (event,) = done.events
        assert "carries no Weft workflow" in event["sentence"]


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("module", ["backend.cli.guard", "backend.engine.engine"])
def test_a_signal_before_the_run_is_status_130_too(weft, module, number):
    """It comes while a module is imported, in the midst of code that is made from text."""
    early = (
        "import os, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}: exec('os.kill(os.getpid(), {int(number)})', globals())\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from backend.cli import main\n"
        "main(['run', 'flow.weft.json'])\n"
    )
    weft.flow(TWO)
    run = subprocess.run(
        [*weft.command()[:1], "-c", early],
        cwd=weft.folder,
        env=weft.environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == CANCELLED
    assert run.stderr.strip() in ("", "Cancelled.")
    assert outputs(weft) == []


def test_a_text_is_written_with_its_workflow_beside_it(weft) -> None:
    nodes = {
        "t": {"type": "text", "params": {"value": "Grüße\nfrom here"}},
        "s": {"type": "save_text", "params": {"name": "said"}, "inputs": {"text": "t.text"}},
    }
    (weft.folder / "it.weft.json").write_text(json.dumps({"weft": 1, "nodes": nodes}))
    done = weft("run", "it.weft.json", "--out", "made")
    assert done.status == DONE, done.err
    made = weft.folder / "made"
    assert sorted(p.name for p in made.iterdir()) == ["said.txt", "said.txt.weft.json"]
    assert (made / "said.txt").read_text(encoding="utf-8") == "Grüße\nfrom here"
    assert json.loads((made / "said.txt.weft.json").read_text())["node"] == "s"
