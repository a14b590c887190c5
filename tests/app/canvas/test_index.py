"""The index finds what looking at every box finds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from app.canvas.index import Index

sides = st.floats(-6000, 6000)
lengths = st.one_of(st.floats(0, 400), st.floats(0, 9000))


@st.composite
def boxes(draw):
    left, top = draw(sides), draw(sides)
    return left, top, left + draw(lengths), top + draw(lengths)


def touch(one, other) -> bool:
    return one[0] <= other[2] and one[2] >= other[0] and one[1] <= other[3] and one[3] >= other[1]


class IndexMachine(RuleBasedStateMachine):
    """An index beside a plain table of boxes."""

    def __init__(self) -> None:
        super().__init__()
        self.index: Index[int] = Index()
        self.table: dict[int, tuple[float, float, float, float]] = {}

    @rule(key=st.integers(0, 12), box=boxes())
    def put(self, key, box):
        self.index.put(key, box)
        self.table[key] = box

    @rule(key=st.integers(0, 12))
    def remove(self, key):
        self.index.remove(key)
        self.table.pop(key, None)

    @rule(box=boxes())
    def find(self, box):
        found = list(self.index.at(box))
        assert len(found) == len(set(found))
        assert set(found) == {key for key, held in self.table.items() if touch(held, box)}

    @rule()
    def tell(self):
        assert {key: self.index.box(key) for key in self.table} == self.table
        held = list(self.table.values())
        whole = (
            (min(b[0] for b in held), min(b[1] for b in held),
             max(b[2] for b in held), max(b[3] for b in held)) if held else None
        )  # fmt: skip
        assert self.index.bounds() == whole


TestIndex = IndexMachine.TestCase


@given(st.lists(boxes(), max_size=8))
def test_a_cleared_index_knows_nothing(held):
    index: Index[int] = Index()
    for key, box in enumerate(held):
        index.put(key, box)
    index.clear()
    assert list(index.at((-1e9, -1e9, 1e9, 1e9))) == []
    assert index.bounds() is None
