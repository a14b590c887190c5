"""The values of sweeps, and the files of patterns."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.batch.each import matching
from backend.batch.errors import BatchError
from backend.batch.sweep import split_sweep, sweep_values


@pytest.mark.parametrize(
    ("said", "kind", "values"),
    [
        ("1,2.5,x", "number", ("1", "2.5", "x")),  # what is no number the parameter says
        ("0:0.6:7", "number", ("0.0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6")),
        ("1:10:4", "integer", ("1", "4", "7", "10")),
        ("1:10:3", "integer", ("1", "6", "10")),
        ("3:-3:3", "seed", ("3", "0", "-3")),
        ("1e2:2E2:2", "number", ("100.0", "200.0")),
        ("5:5:1", "number", ("5.0",)),
        ("1:2:3", "text", ("1:2:3",)),
        ('"a, b",c,', "text", ("a, b", "c", "")),
        ("a\nb,c", "multiline", ("a\nb,c",)),
    ],
)  # fmt: skip
def test_values_are_written_out_or_evenly_spaced(said, kind, values):
    assert sweep_values("n.p", said, kind) == values


@given(st.integers(-1000, 1000), st.integers(-1000, 1000), st.integers(2, 60))
def test_a_span_has_so_many_values_evenly_apart_with_both_ends(low, high, count):
    values = [Fraction(v) for v in map(float, sweep_values("p", f"{low}:{high}:{count}", "number"))]
    assert (len(values), values[0], values[-1]) == (count, low, high)
    step = Fraction(high - low, count - 1)
    assert all(abs(b - a - step) < Fraction(1, 10**9) for a, b in pairwise(values))


@given(st.integers(-50, 50), st.integers(-50, 50), st.integers(2, 60))
def test_whole_numbers_are_the_nearest_ones_each_once(low, high, count):
    if count > abs(high - low) + 1:
        with pytest.raises(BatchError, match="there are only"):
            sweep_values("p", f"{low}:{high}:{count}", "integer")
        return
    values = [int(value) for value in sweep_values("p", f"{low}:{high}:{count}", "integer")]
    assert len(set(values)) == count
    for place, value in enumerate(values):
        assert abs(value - (low + Fraction(high - low) * place / (count - 1))) <= Fraction(1, 2)


@pytest.mark.parametrize(
    ("said", "kind", "why"),
    [
        ("1:5", "number", "write lo:hi:n"),
        ("1:5:x", "integer", "write lo:hi:n"),
        ("1:5:1", "number", "both ends are included, so write at least 2"),
        ("1:5:0", "number", "both ends are included"),
        ("1:5:100001", "number", "at most 100000 values"),
        ("1:5:99999999999999999999", "number", "at most 100000 values"),
        ("1:2.5:2", "integer", "both ends must be ones"),
        ('"a', "text", "the double quotes do not fit"),
    ],
)
def test_what_is_no_sweep_is_a_sentence(said, kind, why):
    with pytest.raises(BatchError, match=why):
        sweep_values("n.p", said, kind)


def test_a_sweep_has_a_name_and_values():
    assert split_sweep("sample.cfg=1:5:9") == ("sample.cfg", "1:5:9")
    assert split_sweep("prompt=a=b") == ("prompt", "a=b")
    for text in ("sample.cfg", "=1", "sample.cfg="):
        with pytest.raises(BatchError, match=r"write NODE\.PARAM="):
            split_sweep(text)


def test_files_come_in_the_order_in_which_a_person_counts(tmp_path):
    for name in ("b10/1.png", "b9/1.png", "b9/10.png", "b9/2.png", ".b/1.png", "b9/.3.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "b9" / "folder.png").mkdir()
    found = matching("n.p", "**/*.png", str(tmp_path))
    assert found == ["b9/1.png", "b9/2.png", "b9/10.png", "b10/1.png"]
    assert matching("n.p", "b*", str(tmp_path), folders=True) == ["b9", "b10"]
    with pytest.raises(BatchError, match="no file matches"):
        matching("n.p", "*.jpg", str(tmp_path))
