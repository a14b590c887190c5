"""Patterns: matching, replacing, what is not supported, and that no pattern can hang."""

from __future__ import annotations

import re
import time

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from backend.graph import patterns
from backend.graph.patterns import MAX_TEXT, PatternError, compile_pattern


def test_the_first_match_and_its_groups() -> None:
    match = compile_pattern(r"(\d+)x(\d+)").search("a 640x480 picture")
    assert match is not None
    assert (match.text, match.groups, match.start, match.end) == ("640x480", ("640", "480"), 2, 9)
    assert compile_pattern("z").search("abc") is None


def test_places_are_counted_in_characters_not_bytes() -> None:
    match = compile_pattern("ö").search("日本 schön")
    assert match is not None
    assert (match.start, match.end) == (6, 7)


def test_a_group_that_took_no_part_is_empty() -> None:
    match = compile_pattern("(a)|(b)").search("b")
    assert match is not None
    assert match.groups == ("", "b")


def test_case_can_be_ignored() -> None:
    assert compile_pattern("red").search("RED") is None
    assert compile_pattern("red", ignore_case=True).search("RED") is not None


@pytest.mark.parametrize(
    ("pattern", "replacement", "text", "result"),
    [
        (r"(\w+) cat", r"\1 dog", "a red cat", "a red dog"),
        (r"(?P<what>\w+)!", r"\g<what>?", "go! run!", "go? run?"),
        (r"b", r"[\0]", "abc", "a[b]c"),
        (r"b", r"[\g<0>]", "abc", "a[b]c"),
        (r", *", r"\n", "a, b,c", "a\nb\nc"),
        (r"/", r"\\", "a/b", "a\\b"),
        (r"", "-", "ab", "-a-b-"),
        (r"x", "y", "abc", "abc"),
    ],
)
def test_replaces(pattern: str, replacement: str, text: str, result: str) -> None:
    assert compile_pattern(pattern).replace(text, replacement) == result


def test_replaces_only_the_first_so_many() -> None:
    assert compile_pattern("a").replace("aaaa", "b", 2) == "bbaa"


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        (r"(a)\1", r"`\\1`, what an earlier group matched, is not supported"),
        (r"(?P<n>a)(?P=n)", "earlier group matched, is not supported"),
        (r"a(?=b)", "looking ahead"),
        (r"a(?!b)", "looking ahead"),
        (r"(?<=a)b", "looking behind"),
        (r"(?<!a)b", "looking behind"),
        (r"(?>a)", "atomic groups"),
        (r"a(", r"a \( is not closed"),
        (r"a)", r"a \) closes nothing"),
        (r"[a", r"a \[ is not closed"),
        (r"*a", r"nothing to repeat before `\*`"),
        (r"a{1001}", "more than 1000 times"),
        (r"((a{100}){100}){100}", "more than 1000 times"),
        (r"a\Z", r"write `\\z`"),
        (r"\q", "stands for nothing"),
        ("a\\", "at the end"),
        ("\ud800", "Unicode"),
        ("a" * 1001, "at most 1000"),
        (r"(?:\pL\pN\pP){300}", "too large once its repetitions"),
    ],
)
def test_what_is_not_supported_gets_a_sentence(pattern: str, says: str) -> None:
    with pytest.raises(PatternError, match=says):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    ("replacement", "says"),
    [
        (r"\2", "names a group '2', but the pattern has the groups 0 to 1, n"),
        (r"\g<m>", "names a group 'm'"),
        (r"\g<", "stands for nothing"),
        (r"\q", r"column 1: `\\q` stands for nothing"),
        ("ab\\", "column 3"),
        (r"\g<²>", "names a group"),
    ],
)
def test_a_wrong_replacement_gets_a_sentence(replacement: str, says: str) -> None:
    with pytest.raises(PatternError, match=says):
        compile_pattern("(?P<n>a)").replace("a", replacement)


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(a|a)*b", r"(a*)*c", r"(.*a){25}x"])
def test_patterns_that_blow_up_elsewhere_return_at_once(pattern: str) -> None:
    begin = time.perf_counter()
    assert compile_pattern(pattern).search("a" * 100_000 + "!") is None
    assert time.perf_counter() - begin < 2


def test_too_much_text_too_many_matches_and_too_much_work_are_refused() -> None:
    with pytest.raises(PatternError, match="at most 200000"):
        compile_pattern("a").search("a" * (MAX_TEXT + 1))
    with pytest.raises(PatternError, match="more than 10000 times"):
        list(compile_pattern("a").find("a" * 10_001))
    assert len(list(compile_pattern("a").find("a" * 10_000))) == 10_000
    large = "|".join(f"[ab]*a[ab]{{{900 - i}}}c" for i in range(12))
    with pytest.raises(PatternError, match="too large for a text of 200000"):
        compile_pattern(large).search("a" * MAX_TEXT)
    with pytest.raises(PatternError, match="more than 2000000"):
        compile_pattern("a").replace("a" * 1000, "b" * 3000)
    with pytest.raises(PatternError, match="surrogate pair at character 2"):
        compile_pattern("a").search("a\ud800")


def test_matches_that_each_read_to_the_end_are_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "MAX_SECONDS", 0.05)
    with pytest.raises(PatternError, match=r"more than 0\.05 seconds"):
        list(compile_pattern("a.*z|a").find("a" * MAX_TEXT))


def test_a_check_between_matches_can_end_the_search() -> None:
    class Stop(Exception):
        pass

    def stop() -> None:
        raise Stop

    with pytest.raises(Stop):
        compile_pattern("a").replace("aaa", "b", check=stop)


def test_no_pattern_is_kept_between_calls() -> None:
    compile_pattern("kept?")
    assert re2._Regexp._make.cache_info().currsize == 0


_SAFE = st.recursive(
    st.sampled_from(["a", "b", "[ab]", ".", "ab", "[^a]"]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda t: f"(?:{t[0]}|{t[1]})"),
        inner.map(lambda t: f"({t})"),
        st.tuples(inner, st.sampled_from("?")).map(lambda t: f"(?:{t[0]}){t[1]}"),
    ),
    max_leaves=6,
)


@given(_SAFE, st.text("abc", max_size=12))
def test_agrees_with_re_where_both_know_the_syntax(pattern: str, text: str) -> None:
    ours, theirs = compile_pattern(pattern).search(text), re.search(pattern, text)
    assert (ours is None) == (theirs is None)
    if ours is not None and theirs is not None:
        assert (ours.start, ours.end) == theirs.span()


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=20))
def test_any_pattern_works_or_gives_a_pattern_error(pattern: str, text: str, new: str) -> None:
    said = ""
    try:
        assert isinstance(compile_pattern(pattern).replace(text, new), str)
    except PatternError as error:
        said = str(error)
    assert said == "" or said.endswith(".")
