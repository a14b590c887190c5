"""Nodes for what models are told beside the text: the sizes and scores of training pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from backend.sdk import Conditioning, Context, Facts, Range, UserError, facts_of, node

Pixels = Annotated[int, Range(0, 16384, 1)]


@node(
    category="Conditioning",
    aliases=("sdxl size", "crop coordinates", "micro conditioning", "aesthetic score"),
)
def set_size_condition(
    ctx: Context,
    conditioning: Conditioning,
    original_width: Pixels = 0,
    original_height: Pixels = 0,
    crop_left: Pixels = 0,
    crop_top: Pixels = 0,
    target_width: Pixels = 0,
    target_height: Pixels = 0,
    aesthetic_score: Annotated[float, Range(0, 10, 0.1)] = 6.0,
) -> Conditioning:
    """Tell an SDXL which size its picture seems to have had before training scaled and cut it.

    Without this node, and where a width and height are 0, the model is told the size of the run
    itself. A small original size gives the look of small pictures blown up, so it serves well in
    the negative; a crop moves the subject out of the middle. `target_width` and `target_height`
    are what the picture was scaled to; a refiner takes `aesthetic_score` in their place, which
    also tells it what to keep away from when it is low in the negative. Other families heed none
    of this.

    Example: encode_text(text="") -> set_size_condition(aesthetic_score=2.5) -> sample.negative of
    a refiner; or set_size_condition(original_width=256, original_height=256) for a base model.
    """
    given: dict[str, float] = {
        "crop_left": crop_left, "crop_top": crop_top, "aesthetic_score": aesthetic_score,
    }  # fmt: skip
    sides = {"original": (original_width, original_height), "target": (target_width, target_height)}
    for name, (width, height) in sides.items():
        _check_sides(name, width, height)
        if width:
            given |= {f"{name}_width": width, f"{name}_height": height}
    return _told(conditioning, given)


def _check_sides(name: str, width: int | None, height: int | None) -> None:
    """Refuse a size with one side alone; None is a side that is not known yet."""
    if width is not None and height is not None and (width == 0) != (height == 0):
        raise UserError(
            f"The {name} size is {width}x{height}. Give both its sides, or leave both at 0 for the "
            "size of the run."
        )


def _told(conditioning: Conditioning, given: Mapping[str, float]) -> Conditioning:
    """The conditioning, and those that take its place later, with these and no other sizes."""
    sides = {f"{name}_{side}" for name in ("original", "target") for side in ("width", "height")}
    kept = {name: value for name, value in conditioning.params.items() if name not in sides}
    later = tuple(
        replace(phase, conditioning=_told(phase.conditioning, given))
        for phase in conditioning.later
    )
    return replace(conditioning, params={**kept, **given}, later=later)


@set_size_condition.facts
def _(p: Any, conditioning: Facts | None) -> Facts:
    _check_sides("original", p.original_width, p.original_height)
    _check_sides("target", p.target_width, p.target_height)
    return conditioning or facts_of("Conditioning")
