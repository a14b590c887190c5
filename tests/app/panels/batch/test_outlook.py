"""What a batch would be, before anything of it is queued."""

from __future__ import annotations

import pytest

from app.document.edits.common import reader_of
from app.panels.batch.knobs import knobs_of
from app.panels.batch.outlook import LISTED, Question, Vary, Wanted, look_ahead
from app.panels.errands import Stopped
from backend.engine.registry import scan_nodes
from backend.graph.document import Exposed, Graph, Node, Ref, Workflow
from backend.graph.format import save

SPECS = scan_nodes().specs
FLOW = Workflow(
    Graph(
        {
            "photo": Node("load_image", title="Photo"),
            "soft": Node("blur", inputs={"image": Ref("photo", "image")}),
            "hue": Node("number"),
            "keep": Node("save_image", inputs={"image": Ref("soft", "image")}),
        }
    ),
    expose={"how_soft": Exposed("soft", "radius", "Softness")},
)


@pytest.fixture
def ask(tmp_path):
    """Asks what a batch would be, in a folder of its own which the graph may read."""

    def asked(table: str = "", *varies: Vary, name: str = "", flow: Workflow = FLOW):
        titles = {knob.name: knob.words for knob in knobs_of(flow, reader_of(SPECS))}
        question = Question(
            Wanted(table, varies, name), flow, SPECS, tmp_path, (tmp_path,), ("primer",),
            tmp_path / "out", "soft", titles, 7,
        )  # fmt: skip
        return look_ahead(question, lambda: None)

    return asked


def test_what_the_document_shows_outside_comes_first_and_once():
    knobs = knobs_of(FLOW, reader_of(SPECS))
    assert (knobs[0].name, knobs[0].words) == ("how_soft", "Softness · Soft")
    names = [knob.name for knob in knobs]
    assert "photo.file" in names
    assert "soft.radius" not in names
    assert len(set(names)) == len(names)
    fed = FLOW.with_node("soft", Node("blur", inputs={"radius": Ref("hue", "number")}))
    assert not [knob for knob in knobs_of(fed, reader_of(SPECS)) if "radius" in knob.name]


def test_a_table_and_values_are_multiplied_and_the_first_jobs_are_listed(ask, tmp_path):
    (tmp_path / "a.png").touch()
    (tmp_path / "rows.csv").write_text("photo.file\na.png\na.png\n")
    found = ask("rows.csv", Vary("how_soft", "1:10:10"), name="{index:3}-{how_soft}")
    assert [(each.name, each.sets, each.problem) for each in found.columns] == [
        ("photo.file", "File · Photo", "")
    ]
    assert (found.rows, [said.count for said in found.varies]) == (2, [10])
    assert found.heads == ("File", "Softness")
    assert len(found.batch.points) == 20
    assert [line.index for line in found.lines] == [*range(1, LISTED + 1), 20]
    assert (found.lines[1].name, found.lines[1].values) == ("002-2", ("a.png", "2"))


def test_the_command_line_makes_the_same_batch_of_it(ask, tmp_path, monkeypatch):
    from backend.cli.batch_plan import Told, Wish, plan
    from backend.cli.streams import Output
    from backend.settings import Settings

    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").touch()
    (tmp_path / "rows.csv").write_text("photo.file\na.png\n")
    save(FLOW, tmp_path / "soft.weft.json")
    told = Told(tmp_path / "rows.csv", ("how_soft=1:10:10",), ())
    wish = Wish(told, name="{index}", out=tmp_path / "out")
    _, batch = plan("soft.weft.json", wish, (), Settings(), Output(False))
    found = ask("rows.csv", Vary("how_soft", "1:10:10"), name="{index}")
    assert found.batch.parts == batch.parts  # so each goes on with the manifest of the other
    assert found.batch.points == batch.points


def test_each_column_and_each_row_says_what_is_wrong_with_it(ask, tmp_path):
    (tmp_path / "rows.jsonl").write_text(
        '{"how_soft": 1, "nobody": 2, "photo.file": "gone.png"}\n'
        '{"how_soft": "much", "nobody": 2, "photo.file": null}\n'
    )
    found = ask("rows.jsonl", Vary("hue.value", "1,x"), Vary("photo.file", "*.png", files=True))
    wrong = {each.name: each.problem for each in found.columns}
    assert "row 2 (line 2), column how_soft: 'much' is not a number" in wrong["how_soft"]
    assert "exposes no parameter of this name" in wrong["nobody"]
    assert "'gone.png' does not exist" in wrong["photo.file"]
    assert "'x' is not a number" in found.varies[0].problem
    assert found.varies[1].problem == "File · Photo: no file matches."
    assert found.batch is None
    assert not [said for said in (*wrong.values(), *found.varies) if "--" in str(said)]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("gone.csv", None, "gone.csv: the file cannot be read: no such file"),
        ("rows.txt", b"x", "rows.txt: a table is a .csv or a .jsonl file."),
        ("rows.csv", b"", "rows.csv is empty."),
        ("rows.csv", b"how_soft\n", "rows.csv has columns and no rows."),
        ("rows.csv", b"how_soft\n1,2\n", "the row has 2 cells"),
        ("rows.csv", b"PK\x03\x04", "is a spreadsheet or an archive"),
        ("rows.csv", b'how_soft\n"1\n', "a double quote is opened and never closed"),
    ],
)
def test_what_is_no_table_is_a_sentence(ask, tmp_path, name, data, said):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    found = ask(name)
    assert said in found.table
    assert "--" not in found.table
    assert found.batch is None


def test_files_are_those_of_a_pattern_where_the_graph_may_read(ask, tmp_path):
    folder = tmp_path / "odd [1]"
    folder.mkdir()
    for name in ("b10.png", "b9.png", "notes.txt"):
        (folder / name).touch()
    found = ask("", Vary("photo.file", "odd [[]1]/*.png", files=True))
    assert [line.values for line in found.lines] == [
        ("odd [1]/b9.png",), ("odd [1]/b10.png",)
    ]  # fmt: skip
    for pattern in ("/etc/*", "../*", "/**/*", "~/*"):
        said = ask("", Vary("photo.file", pattern, files=True)).varies[0].problem
        assert said, pattern
        assert "no file matches" not in said  # it was never searched
    assert "Say which files" in ask("", Vary("photo.file", " ", files=True)).varies[0].problem
    assert "Say its values" in ask("", Vary("how_soft", "")).varies[0].problem


def test_a_name_that_cannot_be_is_told_beside_the_name(ask):
    varies = Vary("how_soft", "1,2")
    assert "{colour} is not known" in ask("", varies, name="{colour}").name
    assert "has '..' as a folder" in ask("", varies, name="../{index}").name
    same = FLOW.with_param("keep", "overwrite", "replace").with_param("keep", "name", "one")
    found = ask("", varies, flow=same)
    assert "Jobs 1 and 2 would both write one" in found.name
    assert "as with the name '{index:4}'" in found.name.casefold()
    assert ask("", varies, name="{index}", flow=same).batch is not None


def test_what_is_set_twice_and_too_many_jobs_are_told(ask, tmp_path):
    (tmp_path / "rows.csv").write_text("soft.radius\n1\n")
    assert "Leave one out" in ask("rows.csv", Vary("how_soft", "1,2")).problem
    many = ask("", Vary("how_soft", "0:1:400"), Vary("hue.value", "0:1:400"))
    assert "at most 100000" in many.problem
    assert "has a seed" in ask("", Vary("seed", "1,2")).problem


def test_it_can_be_given_up_at_any_moment(tmp_path):
    (tmp_path / "rows.csv").write_text("soft.radius\n" + "1\n" * 500)
    question = Question(
        Wanted("rows.csv"), FLOW, SPECS, tmp_path, (tmp_path,), (), tmp_path / "out", "soft", {}
    )
    left = 30

    def check() -> None:
        nonlocal left
        left -= 1
        if not left:
            raise Stopped

    with pytest.raises(Stopped):
        look_ahead(question, check)
