"""How many bytes weights take on a device, by their headers."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.catalog.folder import read_folder
from backend.engine.needs.components import weights_of
from backend.models.flux import FAMILY
from backend.plan import sizes
from backend.plan.sizes import WIDEN, Weight, held_sizes, item_bytes

PRIMER = Path(__file__).resolve().parents[3] / "resources" / "models" / "primer"
BITS = {"F32": 32, "F16": 16, "BF16": 16, "F8_E4M3": 8}


def weight(form: str, *shape: int) -> Weight:
    count = 1
    for side in shape:
        count *= side
    return Weight(form, shape, count * BITS[form] // 8)


def test_a_small_network_is_held_as_it_computes():
    held = held_sizes({"a": weight("F8_E4M3", 8, 8), "b": weight("F16", 8)}, "float32")
    assert held == {"a": 256, "b": 32}


def test_a_large_one_is_held_as_it_is_stored_but_for_single_rows():
    side = 16384
    large = {"a": weight("F8_E4M3", side, side), "b": weight("F16", side)}
    assert held_sizes(large, "bfloat16") == {"a": side * side, "b": side * 2}
    assert held_sizes(large, "float32") == {"a": side * side, "b": side * 4}


def test_what_is_stored_in_more_is_narrowed():
    side = 16384
    assert held_sizes({"a": weight("F32", side, side)}, "bfloat16") == {"a": side * side * 2}


def test_whole_numbers_stay():
    assert held_sizes({"a": Weight("I64", (4,), 32)}, "bfloat16") == {"a": 32}


@given(
    st.dictionaries(
        st.text("abc.0", min_size=1),
        st.tuples(st.sampled_from(sorted(BITS)), st.integers(1, 3), st.sampled_from([1, 8, 9000])),
        min_size=1,
    ),
    st.sampled_from(["float32", "bfloat16"]),
)
def test_nothing_takes_more_than_widened(given_, compute):
    weights = {n: weight(form, rows, side, side) for n, (form, rows, side) in given_.items()}
    wide = {n: w.nbytes * 8 // BITS[w.form] * item_bytes(compute) for n, w in weights.items()}
    held = held_sizes(weights, compute)
    assert held.keys() == weights.keys()
    assert all(held[name] <= wide[name] for name in held)
    if sum(wide.values()) <= WIDEN:
        assert held == wide
    else:
        assert all(held[n] <= w.nbytes for n, w in weights.items() if w.shape[1] > 1)


@pytest.mark.parametrize("widen", [WIDEN, -1])
@pytest.mark.parametrize("part", ["transformer", "vae", "text_encoder", "text_encoder_2"])
def test_what_loads_them_takes_as_much(
    monkeypatch: pytest.MonkeyPatch, widen: int, part: str
) -> None:
    from backend.memory import sheet

    monkeypatch.setattr(sizes, "WIDEN", widen)
    monkeypatch.setattr(sheet, "WIDEN", widen)
    folder = read_folder(PRIMER)
    told = held_sizes(weights_of(folder, folder.component(part)), "float32")
    loaded = sheet.sheet_of(FAMILY.load_part(folder, part, "cpu", "float32"))
    assert loaded is not None
    assert sum(told.values()) == loaded.nbytes()
    assert told.keys() == loaded.sizes.keys()
