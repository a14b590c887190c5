"""The type table, facts and conversions, and the laws between them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.graph.arrival import agree
from backend.graph.conversions import CONVERSIONS, convert, convert_facts, find_conversion, text_of
from backend.graph.facts import Facts, facts_of
from backend.graph.spec import PARAM_TYPES
from backend.graph.types import TYPES, is_generic, title
from backend.values import Image, Mask


@st.composite
def facts(draw):
    kind = draw(st.sampled_from(sorted(TYPES)))
    names = TYPES[kind].facts
    known = draw(st.dictionaries(st.sampled_from(names), st.integers(0, 3))) if names else {}
    made = facts_of(kind, **known)
    return draw(st.sampled_from([made, made.listed(), made.listed(2)]))


def test_an_unknown_fact_reads_as_none_and_a_misspelt_one_is_refused():
    image = facts_of("Image", width=8)
    assert (image.width, image.height) == (8, None)
    assert image.but(width=None).known == {}
    with pytest.raises(ValueError, match="widht"):
        image.but(widht=3)


@given(facts())
def test_a_list_of_something_holds_it(known):
    assert known.listed(3).single() == known.single()
    assert (known.listed(3).is_list, known.listed(3).length) == (True, 3)


@given(facts(), facts())
def test_what_two_values_have_in_common_is_true_of_both(one, two):
    both = agree(one, two)
    assert both == agree(two, one)
    assert agree(one, one) == one
    assert agree(both, one) == both
    for name, value in both.known.items():
        assert one.known[name] == two.known[name] == value


@given(facts())
def test_converted_facts_are_of_the_target_and_stay_a_list(known):
    for row in CONVERSIONS.values():
        if row.source == known.type and known.value in (None, 0, 1):
            after = convert_facts(row.name, known)
            assert after.type == row.target
            assert (after.is_list, after.length) == (known.is_list, known.length)


SAMPLES = {
    "Integer": [0, -7, 2**62],
    "Number": [0.0, 0.1, 1e300, -2.5],
    "Boolean": [True, False],
    "Mask": [Mask(np.full((2, 3, 4), 0.25, np.float32))],
}
PYTHON = {"Text": str, "Number": float, "Image": Image}


@pytest.mark.parametrize("name", sorted(CONVERSIONS))
def test_a_conversion_gives_what_its_row_says(name):
    row = CONVERSIONS[name]
    assert find_conversion(row.source, row.target) == name
    assert {row.source, row.target} <= set(TYPES)
    for value in SAMPLES[row.source]:
        assert isinstance(convert(name, value), PYTHON[row.target])
        assert len(convert(name, [value, value])) == 2
        if "value" in TYPES[row.source].facts and "value" in TYPES[row.target].facts:
            known = facts_of(row.source, value=value)
            assert convert_facts(name, known).value == convert(name, value)


def test_conversions_are_few_and_never_lead_there_and_back():
    assert len(CONVERSIONS) <= 8
    for row in CONVERSIONS.values():
        assert find_conversion(row.target, row.source) is None


def test_a_mask_becomes_a_grey_picture_of_the_same_size():
    mask = SAMPLES["Mask"][0]
    image = convert("Mask->Image", mask)
    assert image.pixels.shape == (2, 3, 4, 1)
    known = convert_facts("Mask->Image", facts_of("Mask", width=4, height=3, count=2))
    assert known == facts_of("Image", width=4, height=3, channels=1, count=2)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_as_text_reads_as_the_same_number(value):
    assert float(text_of(value)) == value


def test_scalars_as_text():
    assert [text_of(v) for v in (True, 3, 3.0, 0.1, 1e20)] == ["true", "3", "3", "0.1", "1e+20"]


def test_every_type_has_a_title_and_links_to_parameters_are_of_the_table():
    assert all(title(name) for name in TYPES)
    assert title("*T") == "anything"
    assert is_generic("*T")
    assert not is_generic("Image")
    assert set(PARAM_TYPES.values()) <= set(TYPES)
    assert Facts("Image").width is None
