"""What pipelines get of pictures and videos."""

from __future__ import annotations

import numpy as np
import pytest

from backend.diffusion.errors import DiffusionError
from backend.media.film.load import load_film
from backend.models.pipelines.given import pillow_pictures
from backend.values import FrameFile, Video
from tests.backend.media.film.films import film, grey


def test_a_film_in_its_file_is_given_frame_by_frame(tmp_path):
    video = load_film(film(tmp_path / "clip.mp4")).video
    pictures = pillow_pictures(video, object)
    assert [picture.size for picture in pictures] == [(64, 48)] * 12
    assert np.asarray(pictures[5])[-4, -4].mean() == pytest.approx(grey(5), abs=2)


def test_a_film_that_is_too_long_to_be_held_is_a_sentence():
    long = Video(FrameFile("blake3:1", 18_000, 1080, 1920, 3, "8", "/nowhere"), 30)
    with pytest.raises(DiffusionError, match=r"18000 of 1920x1080 are too many.*Trim video"):
        pillow_pictures(long, object)
