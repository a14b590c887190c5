"""Gaussian blur and the unsharp mask that is made of it."""

from __future__ import annotations

import math

import numpy as np

from backend.media.bands import bands
from backend.media.pixels.batches import Check, by_rows, map_items, put, unchecked
from backend.media.pixels.color import in_space_by_rows, premultiply, split, unpremultiply
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
        light = in_space_by_rows(check, pixels, image.space, working)
        blurred = _blur_straight(light, radius, check)
        return in_space_by_rows(check, blurred, working, image.space)

    return image.but(map_items(check, one, image.pixels))


def feather(mask: Mask, radius: float, check: Check = unchecked) -> Mask:
    """Gaussian blur of a mask, ``radius`` being the standard deviation in pixels."""
    if radius <= 0:
        return mask

    def one(coverage: Float32) -> Float32:
        return _gaussian(coverage[..., None], radius, check)[..., 0]

    return Mask(map_items(check, one, mask.coverage))


def sharpen(
    image: Image, amount: float, radius: float, threshold: float, check: Check = unchecked
) -> Image:
    """Unsharp mask: ``x + amount (x - blur(x))`` where that difference exceeds ``threshold``.

    Alpha stays as it is; hidden colours take no part.
    """
    if amount == 0 or radius <= 0:
        return image

    def one(pixels: Float32) -> Float32:
        return by_rows(check, sharp_of, pixels, _blur_straight(pixels, radius, check))

    def sharp_of(pixels: Float32, blurred: Float32) -> Float32:
        colors, alpha = split(pixels)
        detail = colors - split(blurred)[0]
        if threshold > 0:
            detail = np.where(np.abs(detail) > threshold, detail, 0)
        sharp = colors + np.float32(amount) * detail
        if alpha is None:
            return sharp
        return np.concatenate([np.where(alpha > 0, sharp, colors), alpha], axis=-1)

    return image.but(map_items(check, one, image.pixels))


def _blur_straight(pixels: Float32, radius: float, check: Check) -> Float32:
    """Blur ``[h, w, c]`` with straight alpha, colours weighted by it."""
    if split(pixels)[1] is None:
        return _gaussian(pixels, radius, check)
    mixed = _gaussian(by_rows(check, premultiply, pixels), radius, check)
    return by_rows(check, _straight, mixed)


def _straight(mixed: Float32) -> Float32:
    return np.concatenate([unpremultiply(mixed[..., :3], mixed[..., 3:]), mixed[..., 3:]], axis=-1)


def _gaussian(pixels: Float32, radius: float, check: Check) -> Float32:
    """Separable convolution of ``[h, w, c]`` with a Gaussian cut off at four deviations."""
    import cv2

    sigma = max(radius, 0.05)  # there the neighbours' weight exp(-200) is 0 in float32
    reach = max(1, math.ceil(4 * sigma))
    places = np.arange(-reach, reach + 1)
    weights = np.exp(-(places**2) / (2 * sigma * sigma))
    kernel = (weights / weights.sum()).astype(np.float32)
    if reach > _FOURIER:
        return _convolve_by_fourier(pixels, kernel, check)
    result = np.empty(pixels.shape, np.float32)
    # The rows around a band are computed again, so bands are high beside what they look at.
    for rows in bands(len(pixels), pixels[:1].size, least=4 * reach):
        check()
        top = max(0, rows.start - reach)  # what lies further away does not count for these rows
        seen = np.ascontiguousarray(pixels[top : rows.stop + reach])
        part = cv2.sepFilter2D(seen, cv2.CV_32F, kernel, kernel, borderType=cv2.BORDER_REPLICATE)
        result[rows] = part.reshape(seen.shape)[rows.start - top : rows.stop - top]
    return result


def _convolve_by_fourier(pixels: Float32, kernel: Float32, check: Check) -> Float32:
    """The same convolution with its repeated border, at a cost that a wide kernel hardly raises."""
    import cv2

    reach = len(kernel) // 2
    result = pixels
    for axis in (0, 1):
        lines = np.moveaxis(result, axis, -1)
        side, made = lines.shape[-1], np.empty(lines.shape, np.float32)
        length = cv2.getOptimalDFTSize(side + 2 * reach)
        factor = np.fft.rfft(kernel, length)
        for part in bands(len(lines), lines[:1].size):
            check()
            padded = np.pad(lines[part], ((0, 0), (0, 0), (reach, reach)), "edge")
            whole = np.fft.irfft(np.fft.rfft(padded, length) * factor, length)
            made[part] = whole[..., 2 * reach : 2 * reach + side]
        result = np.moveaxis(made, -1, axis)
    upright = np.empty(pixels.shape, np.float32)
    put(check, upright, result)
    return upright
