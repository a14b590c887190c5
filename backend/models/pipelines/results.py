"""What pipelines give, in every form that they give it in, as values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from backend.diffusion.errors import DiffusionError
from backend.values import Audio, Float32, Image

PICTURES = ("images", "image", "prediction")
FRAMES = ("frames", "videos", "video")
SOUNDS = ("audios", "audio", "sound")
SEVERAL = 5
"""Axes of an array of several videos."""


def pictures(output: Mapping[str, Any], name: str) -> Image:
    """The pictures of an output as one batch; layers count as pictures.

    Raises:
        DiffusionError: there are none, or of several sizes.
    """
    found = _first(output, PICTURES)
    if found is None:
        raise DiffusionError(
            f"{name} gave {_names(output)}, but no picture. Use the node for what it makes."
        )
    batches = list(_batches(found))
    if len({b.shape[1:] for b in batches}) != 1:
        raise DiffusionError(f"{name} gave pictures of several sizes, which are no batch.")
    return Image(np.concatenate(batches))


def frames(output: Mapping[str, Any], name: str) -> Iterator[Image]:
    """The frames of the first video of an output, one after the other.

    Raises:
        DiffusionError: there is no video.
    """
    found = _first(output, (*FRAMES, *PICTURES))
    if found is None:
        raise DiffusionError(
            f"{name} gave {_names(output)}, but no video. Use the node for what it makes."
        )
    several = getattr(found, "ndim", 0) == SEVERAL or (
        isinstance(found, list | tuple)
        and (isinstance(found[0], list | tuple) or getattr(found[0], "ndim", 0) == SEVERAL - 1)
    )
    for frame in found[0] if several else found:
        yield from (Image(batch) for batch in _batches(frame))


def sound(output: Mapping[str, Any], name: str, rate: int) -> Audio:
    """The first sound of an output, ``rate`` samples a second.

    Raises:
        DiffusionError: there is none, or it holds no numbers.
    """
    found = _first(output, SOUNDS)
    if found is None:
        raise DiffusionError(
            f"{name} gave {_names(output)}, but no sound. Use the node for what it makes."
        )
    array = _array(found)
    first = array[0] if array is not None and array.ndim == 3 else found[0]
    samples = _array(first)
    if samples is None:
        raise DiffusionError(f"{name} gave a sound in a form that is not known here.")
    samples = np.atleast_2d(samples)
    if samples.shape[0] > samples.shape[1] and samples.shape[1] <= 2:
        samples = samples.T  # samples first
    if not samples.size or not np.isfinite(samples).all():
        raise DiffusionError(f"{name} gave a sound that is empty or holds no numbers (NaN).")
    return Audio(samples, rate)


def has_sound(output: Mapping[str, Any]) -> bool:
    """Whether an output holds a sound beside what else it holds."""
    return _first(output, SOUNDS) is not None


def sound_rate(pipeline: Any) -> int:
    """Samples per second of a pipeline's sound, from the component that makes it.

    Raises:
        DiffusionError: no component says so.
    """
    for part in ("vocoder", "audio_vae", "vae", "unet"):
        settings = getattr(getattr(pipeline, part, None), "config", None)
        for name in ("output_sampling_rate", "sampling_rate", "sample_rate"):
            value = getattr(settings, name, None)
            if isinstance(value, int | float) and value > 0:
                return int(value)
    rate = getattr(pipeline, "sample_rate", None)
    if isinstance(rate, int) and rate > 0:
        return rate
    raise DiffusionError(f"{type(pipeline).__name__} does not say the rate of its sound.")


def _first(output: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((output[n] for n in names if output.get(n) is not None), None)


def _names(output: Mapping[str, Any]) -> str:
    return ", ".join(output) or "nothing"


def _array(given: Any) -> Float32 | None:
    """A tensor or array as float32 on the host, ``None`` for anything else."""
    if hasattr(given, "detach"):
        given = given.detach().float().cpu().numpy()
    return given.astype(np.float32, copy=False) if isinstance(given, np.ndarray) else None


def _batches(given: Any) -> Iterator[Float32]:
    """Every picture in a tensor, an array, a Pillow picture, or nested lists of these, as
    ``[count, height, width, channels]``, 0..1."""
    channels_last = not hasattr(given, "detach")
    array = _array(given)
    if array is not None:
        yield _pictures(array, channels_last)
    elif hasattr(given, "getbands"):
        yield _pillow(given)
    else:
        for item in given:
            yield from _batches(item)


def _pictures(array: Float32, channels_last: bool) -> Float32:
    if array.ndim == 2:
        array = array[None, ..., None]
    elif array.ndim == 3:
        grey = array.shape[-1 if channels_last else 0] not in (1, 3, 4)
        array = array[..., None] if grey and channels_last else array[None]
    array = array.reshape(-1, *array.shape[-3:])  # videos and layers are more pictures
    array = array if channels_last else array.transpose(0, 2, 3, 1)
    if array.shape[-1] == 2:
        array = array[..., :1]
    if array.shape[-1] not in (1, 3, 4) or 0 in array.shape:
        raise DiffusionError(
            f"The pipeline gave an array of the shape {tuple(array.shape)}, which is no picture."
        )
    if not np.isfinite(array).all():
        raise DiffusionError(
            "The pipeline gave pictures that hold no numbers (NaN). Try other settings."
        )
    return np.ascontiguousarray(array, dtype=np.float32)


def _pillow(picture: Any) -> Float32:
    bands = {"L": "L", "1": "L", "I": "L", "RGBA": "RGBA", "LA": "RGBA"}.get(picture.mode, "RGB")
    codes = np.asarray(picture.convert(bands), dtype=np.float32) / np.float32(255)
    return codes[None] if codes.ndim == 3 else codes[None, ..., None]
