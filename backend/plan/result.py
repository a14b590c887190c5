"""What a step gave, and whoever remembers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from backend.sdk import Context, Saved
from backend.values import Data


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The outputs of one step with their digests.

    ``seconds`` is what it cost to compute, ``nbytes`` what it holds in memory; ``saved`` are the
    files that it wrote, ``preview`` the last picture that it showed (JPEG), ``summary`` its outputs
    in words. Without a cache ``digests`` is empty.
    """

    values: Mapping[str, Data]
    digests: Mapping[str, str]
    summary: Mapping[str, str]
    seconds: float = 0.0
    nbytes: int = 0
    saved: tuple[Saved, ...] = ()
    preview: bytes = b""


class Memory(Protocol):
    """Results by key. What it lets go of, it may still know the digests of."""

    def find(self, key: str) -> Result | None:
        """What is known of a key: a result that may have lost its ``values``, or ``None``."""

    def get(self, key: str) -> Result | None:
        """The whole result, or ``None`` when it must be computed."""

    def seen(self, static: str) -> bool:
        """Whether there is any result of a step that is the same but for its inputs."""

    def decision(self, key: str) -> frozenset[str] | None:
        """What a lazy node asked for in the state that ``key`` stands for."""

    def decide(self, key: str, names: frozenset[str]) -> None:
        """Remember what a lazy node asked for."""


class World(Protocol):
    """What keys must know of the outside."""

    def content(self, kind: str, ref: str) -> str | None:
        """Content digest of a file, folder or model that a parameter names.

        ``None`` when it cannot be read; the node will say why.
        """

    def context(self, step: str) -> Context:
        """A context for a fingerprint hook."""


class Nothing:
    """A memory that remembers nothing: every step runs."""

    def find(self, key: str) -> Result | None:
        return None

    def get(self, key: str) -> Result | None:
        return None

    def seen(self, static: str) -> bool:
        return False

    def decision(self, key: str) -> frozenset[str] | None:
        return None

    def decide(self, key: str, names: frozenset[str]) -> None:
        return None
