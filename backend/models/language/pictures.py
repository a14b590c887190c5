"""Pictures for models that see: as the libraries' processors want them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from backend.diffusion.errors import DiffusionError
from backend.models.language.prompt import chat_text, plain_text
from backend.models.pixels import to_tensor
from backend.values import Image


def pictures_of(image: Image) -> list[Any]:
    """Each picture of a batch as PIL's 8-bit sRGB. What is transparent lies on white."""
    import PIL.Image

    colour = (to_tensor(image).permute(0, 2, 3, 1).numpy() + 1) / 2
    if image.has_alpha:
        alpha = image.pixels[..., 3:]
        colour = colour * alpha + (1 - alpha)
    eight = np.rint(np.clip(colour, 0, 1) * 255).astype(np.uint8)
    return [PIL.Image.fromarray(picture) for picture in eight]


def picture_inputs(processor: Any, picture: Any, system: str, prompt: str) -> Mapping[str, Any]:
    """What a model that sees takes for one picture and a prompt about it.

    Raises:
        DiffusionError: the processor cannot take them.
        CatalogError: the chat template does not work.
    """
    owner = processor if getattr(processor, "chat_template", None) else processor.tokenizer
    text = chat_text(owner, system, prompt, parts=True, images=1)
    options = {}
    if text is None:
        text = _with_place(processor, plain_text(system, prompt))
    elif processor.tokenizer.bos_token and text.startswith(processor.tokenizer.bos_token):
        options["add_special_tokens"] = False  # the template has written them
    try:
        return dict(processor(images=[picture], text=[text], return_tensors="pt", **options))
    except (ValueError, TypeError, LookupError, AttributeError, RuntimeError, OSError) as error:
        raise DiffusionError(
            f"The processor of this model cannot take a picture of {picture.width}x"
            f"{picture.height} with this prompt ({str(error)[:200]}). Resize the picture, or get "
            "the processor files of the model again."
        ) from error


def _with_place(processor: Any, prompt: str) -> str:
    """The prompt with the mark where the picture stands, for a model that has one."""
    mark = getattr(processor, "image_token", None)
    known = mark is not None and str(mark) in processor.tokenizer.get_vocab()
    return f"{mark}\n{prompt}" if known and str(mark) not in prompt else prompt
