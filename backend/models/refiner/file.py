"""A refiner's file: what it was trained for, which its header tells. Light.

The tensors are those of ``network.Refiner`` by name; the metadata says under ``KEY`` as JSON what
the fields of ``Settings`` are.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from backend.catalog.errors import CatalogError
from backend.catalog.header import read_header

KEY = "weft.refiner"
PLACE = "{text}"
"""Where the prompt stands in a template."""

Join = Literal["concat", "mean"]


@dataclass(frozen=True)
class Settings:
    """What a refiner takes and gives, and how it is built.

    ``states`` is the width of the language model's hidden states, ``layers`` which of them are
    taken (0: embeddings, -1: the last) and ``join`` how several become one; ``template`` stands
    around the prompt. ``reads`` tokens are read at most. It gives ``tokens`` tokens of
    ``sequence`` numbers and a vector of ``pooled`` in the text space ``space``. ``width``,
    ``heads`` and ``blocks`` are those of its bidirectional blocks.
    """

    states: int
    space: str
    tokens: int
    sequence: int
    pooled: int
    layers: tuple[int, ...] = (-1,)
    join: Join = "concat"
    template: str = PLACE
    reads: int = 64
    width: int = 160
    heads: int = 5
    blocks: int = 3

    @property
    def taken(self) -> int:
        """Numbers of each token that goes in."""
        return self.states * (len(self.layers) if self.join == "concat" else 1)

    def as_metadata(self) -> dict[str, str]:
        """What stands in the header of the file."""
        return {KEY: json.dumps(asdict(self))}


_MOST = 65536
"""The largest size that is believed."""


def read_settings(path: Path) -> Settings:
    """What a refiner's file was trained for, from its header.

    Raises:
        CatalogError: it is no sound safetensors file, or no refiner.
    """
    said = read_header(path).metadata.get(KEY)
    if said is None:
        raise CatalogError(
            f"{path.name} is no refiner for a language model. Choose a file that "
            "`python -m backend.train refiner` wrote."
        )
    try:
        found = json.loads(said)
        settings = Settings(**{**found, "layers": tuple(found["layers"])})
        _check(settings)
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise CatalogError(
            f"The header of {path.name} says senseless things of the refiner "
            f"({str(error)[:120]}). Get the file again."
        ) from error
    return settings


def _check(settings: Settings) -> None:
    for field in fields(settings):
        value: Any = getattr(settings, field.name)
        if field.type == "int" and not (type(value) is int and 0 <= value <= _MOST):
            raise ValueError(f"{field.name} is {value!r}")
        if field.type == "str" and not isinstance(value, str):
            raise ValueError(f"{field.name} is no text")
    if settings.join not in get_args(Join) or not settings.layers:
        raise ValueError("its layers or the way to join them are unknown")
    if any(type(layer) is not int for layer in settings.layers):
        raise ValueError("a layer is no whole number")
    if min(settings.heads, settings.reads, settings.tokens, settings.states) < 1:
        raise ValueError("a size is 0")
    if settings.width % settings.heads or settings.blocks > 64 or len(settings.layers) > 256:
        raise ValueError("its sizes do not go together")
    if settings.template.count(PLACE) != 1:
        raise ValueError(f"its template has no place {PLACE} for the prompt")
