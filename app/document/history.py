"""What a document was: every state, by the edit that made it.

Documents are immutable and share what an edit did not touch, so a state costs what has changed.
"""

from __future__ import annotations

from dataclasses import dataclass

from backend.graph.document import Workflow


@dataclass(frozen=True, slots=True)
class State:
    """A document and what made it. Edits with the same ``merge`` in a row are one state: a number
    that is dragged."""

    label: str
    workflow: Workflow
    merge: str = ""


class History:
    """States from the opened document on; ``at`` is the one that is seen."""

    def __init__(self, workflow: Workflow) -> None:
        self._states = [State("Open", workflow)]
        self._at = 0

    @property
    def states(self) -> tuple[State, ...]:
        """Every state, those that were undone too."""
        return tuple(self._states)

    @property
    def at(self) -> int:
        """The place of the state that is seen."""
        return self._at

    @property
    def workflow(self) -> Workflow:
        """The document as it is seen."""
        return self._states[self._at].workflow

    @property
    def can_undo(self) -> bool:
        """Whether there is a state before this one."""
        return self._at > 0

    @property
    def can_redo(self) -> bool:
        """Whether a state was undone."""
        return self._at + 1 < len(self._states)

    def push(self, state: State) -> None:
        """Go on to a new state; what was undone is forgotten."""
        del self._states[self._at + 1 :]
        last = self._states[-1]
        if state.merge and state.merge == last.merge and self._at:
            self._states[-1] = state
            return
        self._states.append(state)
        self._at += 1

    def seal(self) -> None:
        """Let no later edit merge with the last one: the mouse was let go."""
        last = self._states[self._at]
        if last.merge:
            self._states[self._at] = State(last.label, last.workflow)

    def go(self, place: int) -> Workflow:
        """See another state.

        Raises:
            IndexError: there is none of that place.
        """
        if not 0 <= place < len(self._states):
            raise IndexError(place)
        self.seal()
        self._at = place
        return self.workflow
