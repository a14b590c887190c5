"""Tables of a batch: what is read, and the sentence for everything that cannot be."""

from __future__ import annotations

import csv
import io
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.batch.errors import BatchError
from backend.batch.table import read_csv, read_jsonl, read_table

NAMES = st.lists(
    st.from_regex(r"[a-z]{1,6}\.[a-z]{1,6}", fullmatch=True), min_size=1, max_size=5, unique=True
)
CELLS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20)


def refused(read, *arguments) -> str:
    with pytest.raises(BatchError) as error:
        read(*arguments)
    return str(error.value)


def test_a_row_has_a_cell_for_every_column_and_an_empty_one_says_nothing():
    table = read_csv('prompt,sample.steps\r\n"a ""red"" one,\nbig",20\r\n,\r\n', "rows.csv")
    assert table.columns == ("prompt", "sample.steps")
    assert [row.cells for row in table.rows] == [('a "red" one,\nbig', "20"), (None, None)]
    assert [(row.number, row.line) for row in table.rows] == [(1, 2), (2, 4)]
    assert table.at(table.rows[1], "prompt") == "rows.csv, row 2 (line 4), column prompt"


def test_json_lines_are_read_as_set_reads_texts():
    text = '{"a.x": 2, "a.y": null, "a.z": "on"}\n\n{"a.x": 2.5, "a.y": "", "a.z": true}\n'
    table = read_jsonl(text, "rows.jsonl")
    assert [row.cells for row in table.rows] == [("2", None, "on"), ("2.5", "", "true")]
    assert [row.line for row in table.rows] == [1, 3]
    assert read_jsonl('{"a.x": [1, 2.5]}', "r").rows[0].cells == ("[1, 2.5]",)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "with a mark"])
def test_a_file_may_begin_with_a_byte_order_mark(tmp_path, mark):
    path = tmp_path / "Rows.CSV"
    path.write_bytes(mark + "a.x,a.y\nä,2\n".encode())
    table = read_table(path)
    assert (table.columns, table.rows[0].cells) == (("a.x", "a.y"), ("ä", "2"))


@given(NAMES, st.data())
def test_what_a_csv_was_written_from_is_read_again(names, data):
    row = st.lists(CELLS, min_size=len(names), max_size=len(names))
    rows = data.draw(st.lists(row.filter(lambda cells: any(cells)), min_size=1, max_size=5))
    file = io.StringIO(newline="")
    writer = csv.writer(file, quoting=csv.QUOTE_ALL)
    writer.writerows([names, *rows])
    table = read_csv(file.getvalue(), "rows.csv")
    assert table.columns == tuple(names)
    assert [row.cells for row in table.rows] == [
        tuple(cell or None for cell in cells) for cells in rows
    ]


@given(NAMES, st.data())
def test_what_json_lines_were_written_from_is_read_again(names, data):
    value = st.none() | CELLS | st.integers() | st.booleans()
    rows = data.draw(st.lists(st.fixed_dictionaries(dict.fromkeys(names, value)), min_size=1))
    text = "".join(json.dumps(row) + "\n" for row in rows)
    table = read_jsonl(text, "rows.jsonl")
    for row, read in zip(rows, table.rows, strict=True):
        for name, cell in zip(table.columns, read.cells, strict=True):
            given_value = row[name]
            plain = given_value is None or isinstance(given_value, str)
            assert cell == (given_value if plain else json.dumps(given_value))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "rows.csv is empty."),
        ("a.x\n", "rows.csv has columns and no rows."),
        ("a.x,a.x\n1,2\n", "rows.csv, line 1: the column 'a.x' is there twice."),
        ("a.x,,a.y\n1,2,3\n", "rows.csv, line 1: column 2 has no name."),
        ("a.x,a.y\n1,2\n3\n", "rows.csv, row 2 (line 3), column a.y: the cell is missing;"),
        ("a.x,a.y\n1,2,3\n", "rows.csv, row 1 (line 2): the row has 3 cells, but there are only 2"),
        ('a.x\n"1\n', "rows.csv, line 2: a double quote is opened and never closed."),
        ('a.x\n"1"2\n', "rows.csv, line 2: text stands behind a closing double quote;"),
        ("a.x;a.y\n1;2\n", "rows.csv, line 1: the columns are not separated by commas."),
        ("a.x\n" + "1\n" * 100_001, "rows.csv has more than 100000 rows."),
        ("a.x\n" + "1" * 200_000, "rows.csv, line 2: field larger than field limit"),
    ],
    ids=range(11),
)  # fmt: skip
def test_what_is_wrong_with_a_csv_is_a_sentence_with_its_place(text, said):
    assert said in refused(read_csv, text, "rows.csv")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\n", "r is empty."),
        ("[1]\n", "r, row 1 (line 1): this line is no JSON object"),
        ('{"a.x": NaN}', "r, row 1 (line 1): this line is no JSON object"),
        ("[" * 100_000, "r, row 1 (line 1): this line is no JSON object"),
        ('{"a.x": 1, "a.x": 2}', "r, line 1: the column 'a.x' is there twice."),
        ('{"a": 1}\n{"a": 1, "a": 2}', "r, row 2 (line 2): the column 'a' is there twice."),
        ('{"a": 1}\n\n{"b": 1}', "r, row 2 (line 3): the first row has no column 'b'."),
        ('{"a": 1, "b": 2}\n{"a": 1}', "r, row 2 (line 2): the column 'b' is missing. Write null"),
        ('{"a": {"b": 1}}', "r, row 1 (line 1), column a: a JSON object is no value"),
    ],
    ids=range(9),
)  # fmt: skip
def test_what_is_wrong_with_json_lines_is_a_sentence_with_its_place(text, said):
    assert said in refused(read_jsonl, text, "r")


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("rows.txt", b"a", "a table is a .csv or a .jsonl file"),
        ("gone.csv", None, "gone.csv: the file cannot be read: no such file"),
        ("rows.csv", b"a.x\n\xff\n", "rows.csv, line 2: this is not UTF-8 text."),
        ("rows.csv", b"\xff\xfea\0", "rows.csv is UTF-16, not UTF-8 text."),
        ("rows.csv", b"PK\x03\x04", "rows.csv is a spreadsheet or an archive"),
        ("rows.csv", b"a.x\n\0\n", "rows.csv, line 2: a NUL character is in the text."),
    ],
    ids=range(6),
)
def test_a_file_that_is_no_table_is_a_sentence(tmp_path, name, data, said):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    assert said in refused(read_table, tmp_path / name)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.csv")
        assert "is not a file but a device or a pipe" in refused(read_table, tmp_path / "pipe.csv")
    assert "cannot be read" in refused(read_table, tmp_path / "a\0.csv")
    (tmp_path / "folder.csv").mkdir()
    assert "this is a folder" in refused(read_table, tmp_path / "folder.csv")
