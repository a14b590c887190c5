"""Whole runs by real hosts."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from app.run.change import RunOnChange
from backend.engine.queue.job import Draft
from backend.engine.queue.store import Queue
from backend.graph.document import Graph, Node, Ref, Workflow
from backend.graph.format import dump
from tests.app.run.conftest import Studio, flow

PICTURE = flow(a=("grey", {"value": 0.25}), b=("see_picture", {"image": Ref("a", "image")}))


def waiting(file: Path) -> Workflow:
    """A document that goes on until a file is there."""
    return flow(
        a=("until", {"file": str(file), "text": "hello"}),
        b=("take_text", {"text": Ref("a", "text")}),
    )


def text_of(word: str) -> Workflow:
    return flow(a=("until", {"text": word}), b=("take_text", {"text": Ref("a", "text")}))


def running(studio: Studio, document, step: str = "a") -> None:
    """Wait until a step is under way and has said how far it is."""

    def true() -> bool:
        run = studio.room.runs(document).get(step)
        return run is not None and run.status == "running" and run.total > 0

    studio.spin(true, 30)


def test_a_run_goes_from_queued_to_done_and_then_costs_nothing(studio):
    document = studio.open(PICTURE)
    told = []
    studio.room.nodes_changed.connect(lambda _, steps: told.append(studio.status(document)))
    assert studio.done(document) == "done"
    assert told[0] == {"a": "queued", "b": "queued"}
    assert studio.status(document) == {"a": "done", "b": "done"}
    assert "64" in studio.room.runs(document)["a"].outputs["image"]
    assert studio.done(document) == "done"
    assert studio.status(document) == {"a": "cached", "b": "cached"}
    assert studio.said == [("ended", 1, "done"), ("ended", 2, "done")]


def test_every_step_that_gives_a_picture_has_a_thumbnail_that_is_that_picture(studio):
    import io

    from PIL import Image

    document = studio.open(flow(a=("grey", {"value": 0.25, "side": 1400})))
    shown = []
    studio.room.preview.connect(lambda _, step: shown.append(step))
    studio.done(document)
    picture = Image.open(io.BytesIO(studio.room.thumbnail(document, "a")))
    assert picture.size == (512, 512)
    assert abs(picture.getpixel((100, 400))[0] - 64) <= 2
    assert "a" in shown
    assert studio.room.jobs()[0].picture == studio.room.thumbnail(document, "a")


def test_a_failure_is_told_where_it_happened_and_what_it_stopped(studio):
    document = studio.open(flow(a=("refuse", {}), b=("take_text", {"text": Ref("a", "text")})))
    assert studio.done(document) == "failed"
    runs = studio.room.runs(document)
    assert (runs["a"].status, runs["b"].status) == ("failed", "skipped")
    assert "does not want to" in runs["a"].sentence
    assert "does not want to" in studio.room.jobs()[0].error


def test_a_document_with_errors_fails_with_what_is_wrong_and_marks_no_node(studio):
    document = studio.open(flow(b=("take_text", {})))
    assert studio.done(document) == "failed"
    assert "text of b is not linked" in studio.room.jobs()[0].error
    assert studio.status(document) == {"b": "idle"}


def test_a_cancelled_run_leaves_nodes_as_they_were(studio, tmp_path):
    document = studio.open(text_of("first"))
    studio.done(document)
    document.edit("wait", lambda _: waiting(tmp_path / "never"))
    (job,) = studio.run(document)
    running(studio, document)
    view = studio.room.job(job)
    assert view.status == "running"
    assert 0 <= view.progress < 1
    assert studio.room.engine.status == "computing"
    assert "Until" in view.sentence
    studio.room.cancel()
    studio.ended(job)
    studio.spin(lambda: studio.status(document) == {"a": "done", "b": "done"})
    assert studio.room.job(job).status == "cancelled"


def test_a_job_that_never_began_unqueues_its_nodes(studio, tmp_path):
    other = studio.open(waiting(tmp_path / "go"))
    studio.run(other)
    running(studio, other)
    document = studio.open(text_of("later"))
    (job,) = studio.run(document)
    assert studio.status(document) == {"a": "queued", "b": "queued"}
    studio.spin(lambda: studio.room.job(job))
    assert studio.room.job(job).place == 1
    studio.room.cancel_all(document)
    studio.spin(lambda: studio.status(document) == {"a": "idle", "b": "idle"})
    (tmp_path / "go").touch()
    studio.ended(1)
    assert studio.room.job(1).status == "done"


def test_the_death_of_the_host_is_a_message_and_the_job_begins_again(studio, tmp_path):
    document = studio.open(
        flow(
            a=("until", {"text": "before"}),
            b=("die", {"file": str(tmp_path / "mark")}),
            c=("take_text", {"text": Ref("b", "text")}),
            d=("take_text", {"text": Ref("a", "text")}),
        )
    )
    assert studio.done(document) == "done"
    assert (tmp_path / "mark").exists()
    (died,) = [said for said in studio.said if said[0] == "died"]
    assert died[1] == 1
    assert "exit status 7 while b" in died[2]
    assert died[2].endswith(" Finished steps are kept. Job 1 begins again.")
    assert studio.status(document)["b"] == "done"


def test_jobs_of_a_batch_differ_in_their_seeds(studio):
    document = studio.open(flow(n=("draw", {"seed": 7})))
    ids = studio.run(document, count=3)
    studio.ended(*ids)
    seeds = [studio.room.job(number).seeds["n.seed"] for number in ids]
    assert seeds[0] == 7
    assert len(set(seeds)) == 3
    assert studio.room.seeds(document) == {"n.seed": seeds[-1]}


def test_several_jobs_without_a_seed_are_refused(studio):
    document = studio.open(text_of("same"))
    assert studio.run(document, count=2) == ()
    (refused,) = studio.said
    assert refused[:2] == ("refused", document.id)
    assert "seed" in refused[2]


def test_a_job_of_another_program_is_listed_and_run(studio, tmp_path):
    text = dump(text_of("theirs"))
    with Queue(tmp_path / "queue.sqlite") as queue:
        queue.pause()
        (job,) = queue.add([Draft(text, str(tmp_path), str(tmp_path / "out"), title="theirs")])
        studio.spin(lambda: studio.room.paused and studio.room.job(job))
        assert studio.room.job(job).sentence == "Runs next"
        queue.resume()
    studio.ended(job)
    view = studio.room.job(job)
    assert (view.title, view.status, view.document) == ("theirs", "done", "")


def test_a_paused_queue_holds_what_comes(studio):
    studio.room.pause()
    studio.spin(lambda: studio.room.paused)
    document = studio.open(text_of("x"))
    (job,) = studio.run(document)
    studio.spin(lambda: studio.room.job(job))
    assert studio.room.job(job).status == "queued"
    studio.room.resume()
    studio.ended(job)


def test_a_room_that_is_closed_puts_its_job_back(tmp_path, spin):
    studio = Studio(tmp_path, spin)
    studio.room.start()
    document = studio.open(waiting(tmp_path / "never"))
    (job,) = studio.run(document)
    running(studio, document)
    studio.room.close()
    with Queue(tmp_path / "queue.sqlite") as queue:
        assert queue.job(job).state == "queued"


def looked(studio: Studio, document, step: str, output: str, **how):
    seen = []
    studio.room.look(document, step, output, seen.append, **how)
    studio.spin(lambda: seen, 30)
    return seen[0]


def test_any_value_can_be_looked_at_after_a_run_without_computing(studio):
    document = studio.open(PICTURE)
    before = looked(studio, document, "a", "image")
    assert (before.value, before.cached) == (None, False)
    assert before.sentence == "This value is not there. Run the node to see it."
    studio.done(document)
    after = looked(studio, document, "a", "image")
    assert (after.type, after.cached, after.job) == ("Image", True, 1)
    assert np.all(after.value.pixels == np.float32(0.25))


def test_an_edited_document_shows_its_last_run_until_it_is_asked_to_compute(studio):
    document = studio.open(PICTURE)
    studio.done(document)
    document.edit("darker", lambda workflow: workflow.with_param("a", "value", 0.125))
    assert studio.room.stale(document) == {"a", "b"}
    assert looked(studio, document, "a", "image").value.pixels[0, 0, 0, 0] == 0.25
    seen = looked(studio, document, "a", "image", compute=True)
    assert seen.value.pixels[0, 0, 0, 0] == 0.125


def test_free_memory_gives_the_host_back(studio):
    document = studio.open(PICTURE)
    studio.done(document)
    pid = studio.clients[0].pid
    studio.room.free_memory()
    studio.spin(lambda: studio.clients[0].pid != pid, 20)
    assert looked(studio, document, "a", "image").value is None
    assert studio.done(document) == "done"
    assert studio.status(document)["a"] == "done"


def test_the_timeline_holds_a_bar_for_each_step_that_ran(studio, tmp_path):
    document = studio.open(waiting(tmp_path / "go"))
    studio.run(document)
    running(studio, document)
    studio.spin(lambda: studio.room.runs(document)["a"].peak > 2**20, 10)
    (tmp_path / "go").touch()
    studio.ended(1)
    timeline = studio.room.timeline()
    assert [(bar.step, bar.status) for bar in timeline.bars] == [("a", "done"), ("b", "done")]
    a, b = timeline.bars
    assert 0 <= a.begin < a.end <= b.end <= timeline.seconds
    assert (a.lane, a.category) == ("cpu", "Test")
    assert timeline.peak >= studio.room.runs(document)["a"].peak
    studio.done(document)
    assert studio.room.timeline().bars == []


def test_running_on_change_cancels_the_run_of_the_document_before(studio, tmp_path):
    document = studio.open(waiting(tmp_path / "never"))
    mode = RunOnChange(studio.room, document)
    mode.set_on(True)
    running(studio, document)
    document.edit("say", lambda _: text_of("newer"))
    studio.ended(1)
    studio.spin(lambda: studio.room.job(2))
    studio.ended(2)
    assert [studio.room.job(n).status for n in (1, 2)] == ["cancelled", "done"]
    document.edit("name", lambda workflow: replace(workflow, title="named"))
    mode.set_on(False)
    document.edit("say", lambda _: text_of("newest"))
    assert not mode._rest.isActive()


def test_a_subgraph_and_a_zone_run_under_their_paths(studio):
    from backend.graph.document import Subgraph

    inner = Graph({"say": Node("until", params={"text": "in"})}, {"text": Ref("say", "text")})
    document = studio.open(
        Workflow(
            Graph(
                {
                    "use": Node("subgraph:words"),
                    "see": Node("take_text", inputs={"text": Ref("use", "text")}),
                }
            ),
            subgraphs={"words": Subgraph(inner, title="words")},
        )
    )
    assert studio.done(document) == "done"
    assert studio.status(document) == {"use/say": "done", "see": "done"}
    assert looked(studio, document, "use", "text").value == "in"


def test_the_room_needs_neither_torch_nor_nodes():
    code = (
        "import sys, app.run.setup, app.run.change, app.run.notify\n"
        "heavy = {'torch', 'diffusers', 'transformers', 'nodes', 'cv2', 'PIL'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_broken_queue_is_a_sentence(tmp_path, spin):
    (tmp_path / "queue.sqlite").write_bytes(b"this is no database" * 100)
    studio = Studio(tmp_path, spin)
    studio.room.start()
    spin(lambda: studio.room.trouble and studio.room.engine.status == "dead")
    assert studio.room.trouble.endswith(".")
    studio.room.close()
