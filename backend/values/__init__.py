"""The values that travel on links, their digests and their wire form."""

from backend.values.arrays import Float32, freeze
from backend.values.base import Params, Scalar, Value
from backend.values.motion import Audio, FrameDepth, FrameFile, FramesGone, Video
from backend.values.picture import Color, ColorSpace, Image, Mask
from backend.values.sampling import (
    Conditioning,
    Guider,
    Latent,
    Noise,
    Phase,
    Recipe,
    Schedule,
    Solver,
    Term,
)
from backend.values.weights import VAE, Expert, LanguageModel, Model, Patch, TextEncoder, Weights
from backend.values.wire import Data, Packed, digest, digest_parts, nbytes, pack, unpack

__all__ = [
    "VAE",
    "Audio",
    "Color",
    "ColorSpace",
    "Conditioning",
    "Data",
    "Expert",
    "Float32",
    "FrameDepth",
    "FrameFile",
    "FramesGone",
    "Guider",
    "Image",
    "LanguageModel",
    "Latent",
    "Mask",
    "Model",
    "Noise",
    "Packed",
    "Params",
    "Patch",
    "Phase",
    "Recipe",
    "Scalar",
    "Schedule",
    "Solver",
    "Term",
    "TextEncoder",
    "Value",
    "Video",
    "Weights",
    "digest",
    "digest_parts",
    "freeze",
    "nbytes",
    "pack",
    "unpack",
]
