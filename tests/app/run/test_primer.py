"""A shipped workflow with a model, and one with a zone, as the studio runs them."""

from __future__ import annotations

from pathlib import Path

from app.document.session import Session
from app.open_document import OpenDocument
from app.run.places import level_runs

WORKFLOWS = Path(__file__).parents[3] / "workflows"


def test_a_picture_by_primer_is_previewed_saved_and_can_be_looked_at(studio):
    session = Session.open(WORKFLOWS / "text-to-image.weft.json")
    document = OpenDocument(session)
    document.edit("fewer", lambda w: w.with_param("sample", "steps", 6))
    shares, pictures = [], []
    studio.room.node_changed.connect(
        lambda _, step: step == "sample" and shares.append(studio.room.runs(document)[step].share)
    )
    studio.room.preview.connect(lambda _, step: pictures.append(step))
    ids = studio.run(document)
    studio.spin(lambda: studio.room.job(ids[0]) and studio.room.job(ids[0]).ended, 120)
    view = studio.room.job(ids[0])
    assert view.status == "done", view.error
    assert any(0 < share < 1 for share in shares)
    assert {"sample", "decode"} <= set(pictures)
    (file,) = view.outputs
    assert Path(file).is_file()
    lanes = {bar.step: bar.lane for bar in studio.room.timeline().bars}
    assert (lanes["sample"], lanes["save"]) == ("device", "file")
    seen = []
    studio.room.look(document, "decode", "image", seen.append)
    studio.spin(lambda: seen, 30)
    assert seen[0].value.pixels.shape == (1, 128, 128, 3)


def test_a_zone_counts_its_turns_and_its_nodes_show_under_their_paths(studio):
    document = OpenDocument(Session.open(WORKFLOWS / "loop.weft.json"))
    rounds = []
    studio.room.node_changed.connect(
        lambda _, step: (
            step == "spiral" and rounds.append(studio.room.runs(document)["spiral"].done)
        )
    )
    assert studio.done(document) == "done", studio.error
    runs = level_runs(document.workflow, "", studio.room.runs(document))
    assert {runs[path].status for path in ("spiral", "spiral/small", "spiral/over")} == {"done"}
    assert runs["spiral/small"].turns == (6,)
    assert runs["spiral"].total == 6
    assert rounds[-1] == 6
    assert studio.room.thumbnail(document, "spiral/turned")
    seen = []
    studio.room.look(document, "spiral/over", "image", seen.append)
    studio.spin(lambda: seen)
    assert seen[0].sentence.startswith("What is inside a zone is not kept by itself.")
