"""What a run shows: bars, lines or JSON."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.cli.report import BarReport, JsonReport, LineReport, report_for, texts
from backend.engine.events import (
    Note,
    Preview,
    Progress,
    RunFinished,
    RunStarted,
    SavedFile,
    StepDone,
    StepFailed,
    StepSkipped,
    StepStarted,
)

EVENTS = [
    RunStarted(4, {"sampler.seed": 7}),
    StepStarted("sampler"),
    Progress("sampler", 1, 4),
    Preview("sampler", b"jpeg"),
    Progress("sampler", 4, 4),
    StepDone("sampler", False, 1.25, {"latent": "1x16x8x8"}),
    StepDone("text", True, 0.0, {}),
    Note("keep", "Something was\nleft [out].", (2,)),
    StepStarted("keep"),
    SavedFile("keep", "é/picture-0001.png", "blake3:00"),
    StepDone("keep", False, 0.1, {}),
    StepFailed("loop/read", "'[red]x.png' does not exist.", "Traceback ...", (2, 3)),
    StepSkipped("after", "loop/read"),
    RunFinished("failed", 1.5, 2, 1, 1, 1, 1),
]


def never() -> None:
    raise AssertionError("nobody has gone")


def shown(report, capsys) -> tuple[str, str]:
    for event in EVENTS:
        report.event(event)
    report.close()
    said = capsys.readouterr()
    return said.out, said.err


def test_lines_tell_what_has_ended_and_paths_go_to_standard_output(capsys):
    out, err = shown(LineReport(Path("out")), capsys)
    assert out == f"{Path('out/é/picture-0001.png')}\n"
    assert err.splitlines() == [
        "sampler: 1.25 s (1x16x8x8)",
        "text: from the cache",
        "keep[2]: Something was left [out].",
        "keep: 0.10 s",
        "loop/read[2][3] failed: '[red]x.png' does not exist.",
        "after was left out because loop/read failed.",
        "Failed in 1.5 s: 2 run, 1 from the cache, 1 failed, 1 left out, 1 saved.",
    ]


def test_texts_are_shown_whole_and_very_long_ones_say_how_to_save_them():
    word = "abcdefghi "
    assert list(texts({"s": {"value": "hello", "n": 3}})) == ["s.value: hello"]
    assert list(texts({"s": {"value": word * 20}})) == [f"s: {word * 20}"]
    assert list(texts({"s": {"value": word * 4}}, 20)) == ["s:", *["abcdefghi abcdefghi"] * 2]
    assert list(texts({"s": {"value": "one\n\n\x1b[2Jtwo"}})) == ["s:", "one", "", "\ufffd[2Jtwo"]
    assert list(texts({"s": {"value": ["a", "b"]}})) == ["s[1]: a", "s[2]: b"]
    *shown, last = texts({"s": {"value": "x" * 2500}})
    assert shown == [f"s: {'x' * 2000}"]
    assert last == "s: 500 more characters; Save text writes them all."
    *_, last = texts({"s": {"value": ["a"] * 25}})
    assert last == "s: 5 more; Save text writes them all."


def test_json_is_one_ascii_object_per_line_without_previews_and_traces(capsys):
    out, err = shown(JsonReport(never), capsys)
    found = [json.loads(line) for line in out.splitlines()]
    assert err == ""
    assert out.isascii()
    assert "Traceback" not in out
    assert [event["event"] for event in found] == [
        "run_started",
        "step_started",
        "progress",
        "progress",
        "step_done",
        "step_done",
        "note",
        "step_started",
        "saved",
        "step_done",
        "step_failed",
        "step_skipped",
        "run_finished",
    ]
    assert found[8]["path"] == "é/picture-0001.png"


@given(st.text())
def test_any_text_survives_the_json(text):
    from backend.cli.report import _ascii

    data = json.dumps({"text": text}, ensure_ascii=False).encode("utf-8", "surrogatepass")
    try:
        data.decode()
    except UnicodeDecodeError:
        return  # lone surrogates never get into an event's bytes
    assert json.loads(_ascii(data)) == {"text": text}
    assert _ascii(data).isascii()


def test_when_the_reader_of_the_json_has_gone_the_run_is_asked_to_stop(monkeypatch):
    class Gone(io.StringIO):
        def flush(self) -> None:
            raise BrokenPipeError

    monkeypatch.setattr("sys.stdout", Gone())
    asked = []
    report = JsonReport(lambda: asked.append(True))
    for event in EVENTS:
        report.event(event)
    assert asked == [True]


def test_bars_show_failures_and_the_paths_at_the_end(capsys):
    out, err = shown(BarReport(Path("out")), capsys)
    assert out == f"{Path('out/é/picture-0001.png')}\n"
    assert "loop/read[2][3] failed: '[red]x.png' does not exist." in err
    assert "keep[2]: Something was left [out]." in err
    assert err.endswith(
        "Failed in 1.5 s: 2 run, 1 from the cache, 1 failed, 1 left out, 1 saved.\n"
    )


@pytest.mark.parametrize(("tty", "kind"), [(True, BarReport), (False, LineReport)])
def test_bars_are_for_terminals(tty, kind, monkeypatch):
    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return tty

    monkeypatch.setattr("sys.stderr", Stream())
    report = report_for(json=False, out=Path("out"), gone=never)
    report.close()
    assert type(report) is kind
    assert type(report_for(json=True, out=Path("out"), gone=never)) is JsonReport
