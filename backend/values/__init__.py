"""The values that travel on links, their digests and their wire form."""

from backend.values.arrays import Float32, freeze
from backend.values.base import Params, Scalar, Value
from backend.values.picture import Color, ColorSpace, Image, Mask
from backend.values.sampling import (
    Conditioning,
    Guider,
    Latent,
    Noise,
    Recipe,
    Schedule,
    Solver,
    Term,
)
from backend.values.weights import VAE, Model, Patch, TextEncoder, Weights
from backend.values.wire import Data, Packed, digest, digest_parts, nbytes, pack, unpack

__all__ = [
    "VAE",
    "Color",
    "ColorSpace",
    "Conditioning",
    "Data",
    "Float32",
    "Guider",
    "Image",
    "Latent",
    "Mask",
    "Model",
    "Noise",
    "Packed",
    "Params",
    "Patch",
    "Recipe",
    "Scalar",
    "Schedule",
    "Solver",
    "Term",
    "TextEncoder",
    "Value",
    "Weights",
    "digest",
    "digest_parts",
    "freeze",
    "nbytes",
    "pack",
    "unpack",
]
