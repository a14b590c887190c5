"""ControlNets: networks beside a denoiser that read a picture which it is to follow."""

from backend.models.controlnet.load import LOADER as LOADER
