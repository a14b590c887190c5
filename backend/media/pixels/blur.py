"""Gaussian blur and the unsharp mask that is made of it."""

from __future__ import annotations

import math

import numpy as np

from backend.media.pixels.batches import Check, map_items, unchecked
from backend.media.pixels.color import in_space, split, unpremultiply
from backend.values import Float32, Image, Mask

_FOURIER = 48  # half a kernel's width from which Fourier transforms are faster


def blur(image: Image, radius: float, linear: bool = False, check: Check = unchecked) -> Image:
    """Gaussian blur of standard deviation ``radius`` in pixels; 0 changes nothing.

    The border pixels are repeated outwards. Colours are weighted by alpha; ``linear`` averages in
    linear light, as a lens out of focus does.
    """
    if radius <= 0:
        return image
    working = "linear" if linear else image.space

    def one(pixels: Float32) -> Float32:
        blurred = _blur_straight(in_space(pixels, image.space, working), radius)
        return in_space(blurred, working, image.space)

    return image.but(map_items(check, one, image.pixels))


def feather(mask: Mask, radius: float, check: Check = unchecked) -> Mask:
    """Gaussian blur of a mask, ``radius`` being the standard deviation in pixels."""
    if radius <= 0:
        return mask
    return Mask(map_items(check, lambda a: _gaussian(a[..., None], radius)[..., 0], mask.coverage))


def sharpen(
    image: Image, amount: float, radius: float, threshold: float, check: Check = unchecked
) -> Image:
    """Unsharp mask: ``x + amount (x - blur(x))`` where that difference exceeds ``threshold``.

    Alpha stays as it is; hidden colours take no part.
    """
    if amount == 0 or radius <= 0:
        return image

    def one(pixels: Float32) -> Float32:
        colors, alpha = split(pixels)
        detail = colors - split(_blur_straight(pixels, radius))[0]
        if threshold > 0:
            detail = np.where(np.abs(detail) > threshold, detail, 0)
        sharp = colors + np.float32(amount) * detail
        if alpha is None:
            return sharp
        return np.concatenate([np.where(alpha > 0, sharp, colors), alpha], axis=-1)

    return image.but(map_items(check, one, image.pixels))


def _blur_straight(pixels: Float32, radius: float) -> Float32:
    """Blur ``[h, w, c]`` with straight alpha, colours weighted by it."""
    colors, alpha = split(pixels)
    if alpha is None:
        return _gaussian(colors, radius)
    mixed = _gaussian(np.concatenate([colors * alpha, alpha], axis=-1), radius)
    return np.concatenate([unpremultiply(mixed[..., :3], mixed[..., 3:]), mixed[..., 3:]], axis=-1)


def _gaussian(pixels: Float32, radius: float) -> Float32:
    """Separable convolution of ``[h, w, c]`` with a Gaussian cut off at four deviations."""
    import cv2

    sigma = max(radius, 0.05)  # there the neighbours' weight exp(-200) is 0 in float32
    reach = max(1, math.ceil(4 * sigma))
    places = np.arange(-reach, reach + 1)
    weights = np.exp(-(places**2) / (2 * sigma * sigma))
    kernel = (weights / weights.sum()).astype(np.float32)
    if reach > _FOURIER:
        return _convolve_by_fourier(pixels, kernel)
    blurred = cv2.sepFilter2D(pixels, cv2.CV_32F, kernel, kernel, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.float32).reshape(pixels.shape)


def _convolve_by_fourier(pixels: Float32, kernel: Float32) -> Float32:
    """The same convolution with its repeated border, at a cost that a wide kernel hardly raises."""
    import cv2

    reach = len(kernel) // 2
    result = pixels
    for axis in (0, 1):
        lines = np.moveaxis(result, axis, -1)
        side = lines.shape[-1]
        padded = np.pad(lines, ((0, 0), (0, 0), (reach, reach)), "edge")
        length = cv2.getOptimalDFTSize(padded.shape[-1])
        spectrum = np.fft.rfft(padded, length) * np.fft.rfft(kernel, length)
        whole = np.fft.irfft(spectrum, length)[..., 2 * reach : 2 * reach + side]
        result = np.moveaxis(whole.astype(np.float32), -1, axis)
    return np.ascontiguousarray(result)
