"""Pictures for text encoders of Qwen2.5-VL's kind, which see them as tokens in the text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backend.diffusion.errors import DiffusionError
from backend.values import Image

if TYPE_CHECKING:
    from torch import Tensor

PICTURES = "Qwen2VLImageProcessorPil"
"""The class that prepares pictures, of those that transformers has the one without torchvision."""


@dataclass(frozen=True)
class Template:
    """What stands around a text about pictures.

    ``place`` is what stands for a picture: its number if there are two gaps, and its tokens, each
    ``mark``. Pictures are brought to about ``area`` pixels, if it is not 0.
    """

    around: str
    place: str
    mark: str
    area: int = 0

    def written(self, text: str, counts: Sequence[int]) -> str:
        """The text behind pictures of so many tokens each.

        Raises:
            DiffusionError: the text has the mark of a picture in it.
        """
        if self.mark in text:
            raise DiffusionError(f"A text cannot hold {self.mark}, which stands for a picture.")
        numbered = self.place.count("{}") > 1
        places = [
            self.place.format(*[i + 1] * numbered, self.mark * count)
            for i, count in enumerate(counts)
        ]
        return self.around.format("".join(places) + text)


@dataclass(frozen=True)
class Seen:
    """Pictures as an encoder takes them: ``pixels`` ``[patches, values]`` of all, the ``grid``
    ``[pictures, 3]`` of patches, and how many tokens each takes up."""

    pixels: Tensor
    grid: Tensor
    counts: tuple[int, ...]

    def arguments(self, ids: Tensor, encoder: Any, texts: int) -> dict[str, Tensor]:
        """The encoder's arguments for texts that each are about all of the pictures.

        It finds the rows and columns of the pictures' tokens by ``mm_token_type_ids``; without
        them it would count on as in a text, and say nothing.
        """
        place = {"device": ids.device, "dtype": encoder.dtype}
        return {
            "pixel_values": self.pixels.to(**place).repeat(texts, 1),
            "image_grid_thw": self.grid.to(ids.device).repeat(texts, 1),
            "mm_token_type_ids": (ids == encoder.config.image_token_id).int(),
        }


def pictures(processor: Any, images: Sequence[Image], area: int = 0) -> Seen:
    """Pictures, prepared by the model's own processor.

    Raises:
        DiffusionError: one of them is several, or too narrow.
    """
    from backend.models.language.pictures import pictures_of

    if any(image.count != 1 for image in images):
        raise DiffusionError(
            "A batch of pictures is given where one is meant. Connect them one by one."
        )
    given = [_sized(pictures_of(image)[0], area) for image in images]
    try:
        made = processor(images=given, return_tensors="pt")
    except ValueError as error:
        raise DiffusionError(
            f"The text encoder cannot see this picture ({str(error)[:120]}). Crop it."
        ) from error
    grid = made["image_grid_thw"]
    counts = tuple(int(n) // processor.merge_size**2 for n in grid.prod(1))
    return Seen(made["pixel_values"], grid, counts)


def _sized(picture: Any, area: int) -> Any:
    """A picture of PIL of about so many pixels, in its proportions, with sides of 32 times a
    whole number."""
    from PIL.Image import Resampling

    if not area:
        return picture
    width = math.sqrt(area * picture.width / picture.height)
    height = width * picture.height / picture.width
    size = tuple(max(round(side / 32), 1) * 32 for side in (width, height))
    return picture.resize(size, Resampling.LANCZOS)
