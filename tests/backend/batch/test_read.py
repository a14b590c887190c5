"""What is asked of a batch, read for the parameters of a workflow, and the batch it makes."""

from __future__ import annotations

import json

import pytest

from backend.batch.errors import BatchError
from backend.batch.plan import Order, plan_batch
from backend.batch.read import Asked, Reader, Varied, check_seeds
from backend.batch.rows import EACH, SWEEP, TABLE
from backend.graph.document import Graph, Node, Workflow
from backend.graph.spec import NodeSpec, Param
from backend.graph.typed import Files
from backend.media.grants import Grants

SPECS = {
    "load": NodeSpec("load", 1, "Load", "", "", params=(Param("file", "file", ""),)),
    "boxes": NodeSpec("boxes", 1, "Boxes", "", "", params=(Param("boxes", "boxes", ()),)),
    "draw": NodeSpec(
        "draw", 1, "Draw", "", "",
        params=(Param("cfg", "number", 1.0, 0, 9), Param("seed", "seed", 0)),
    ),
}  # fmt: skip
FLOW = Workflow(Graph({"photo": Node("load"), "draw": Node("draw"), "where": Node("boxes")}))


@pytest.fixture
def reader(tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).touch()
    files = Files(tmp_path, tmp_path)
    return Reader(FLOW, SPECS, Grants(tmp_path, (tmp_path,)), files)


def test_tables_sweeps_and_files_become_typed_values(reader, tmp_path):
    (tmp_path / "rows.csv").write_text("draw.cfg,seed\n2,7\n,8\n")
    asked = Asked(
        tmp_path / "rows.csv",
        (Varied("draw.cfg", "1:2:3", "--sweep draw.cfg"),),
        (Varied("photo.file", "*.png", "--each photo.file"),),
    )
    table, sweep, each = reader.parts(asked)
    assert [table.kind, sweep.kind, each.kind] == [TABLE, SWEEP, EACH]
    assert [[value.value for value in row.values] for row in table.choices] == [[2.0, 7], [8]]
    assert [choice.values[0].value for choice in sweep.choices] == [1.0, 1.5, 2.0]
    assert [choice.values[0].value for choice in each.choices] == ["a.png", "b.png"]
    with pytest.raises(BatchError, match=r"--sweep draw\.cfg sets draw\.cfg, which rows"):
        plan_batch(FLOW, SPECS, Grants(tmp_path, ()), [table, sweep], Order("t", tmp_path))


def test_a_sentence_begins_with_what_it_was_called(reader):
    with pytest.raises(BatchError, match=r"^Strength: '99' is not|^Strength: 99 is outside 0 to 9"):
        reader.sweep(Varied("draw.cfg", "1,99", "Strength"))
    with pytest.raises(BatchError, match=r"^Strength: this parameter takes no file\."):
        reader.each(Varied("draw.cfg", "*", "Strength"))
    with pytest.raises(BatchError, match=r"^Photo: no file matches\. Look again\.$"):
        reader.each(Varied("photo.file", "*.gif", "Photo"), "Look again.")
    part = reader.sweep(Varied("seed", "1,2", "Seeds"))
    with pytest.raises(BatchError, match=r"^The seed and Seeds both set every seed"):
        check_seeds([part], 3, ["draw.seed"], "The seed")


def test_a_table_reads_no_file_that_the_workflow_may_not(reader, tmp_path, tmp_path_factory):
    secret = tmp_path_factory.mktemp("other") / "boxes.json"
    secret.write_text("[]")
    (tmp_path / "boxes.json").write_text("[]")
    for path, fine in (("boxes.json", True), (str(secret), False)):
        (tmp_path / "rows.jsonl").write_text(json.dumps({"where.boxes": f"@{path}"}))
        if fine:
            assert reader.parts(Asked(tmp_path / "rows.jsonl"))[0].choices[0].values[0].value == []
        else:
            with pytest.raises(BatchError, match="outside what this workflow may read"):
                reader.parts(Asked(tmp_path / "rows.jsonl"))


def test_the_first_line_of_the_manifest_tells_what_the_batch_is_made_from(reader, tmp_path):
    def batch(said: str, template: str = ""):
        part = reader.sweep(Varied("draw.cfg", said, "cfg"))
        return plan_batch(FLOW, SPECS, Grants(tmp_path, ()), [part], Order("t", tmp_path, template))

    one, same, other = batch("1,2"), batch("1:2:2"), batch("1,3")
    assert one.parts == same.parts
    assert {name for name in one.parts if one.parts[name] != other.parts[name]} == {"--sweep"}
    header = one.header()
    assert (header["event"], header["jobs"], header["out"]) == ("batch", 2, str(tmp_path))
    assert header["draw"] > 0
    with pytest.raises(BatchError, match="no node of the workflow has an output name"):
        batch("1", "{index}")
