"""Files that are cut, or tell of what is not known: never a worker that merely dies."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image as Pillow

from backend.media.errors import Damaged, Unsupported
from backend.media.film.load import load_film
from backend.media.film.moving import Moving
from backend.media.film.probe import probe
from backend.sdk import UserError
from tests.backend.media.film.films import film, noisy


def test_any_cut_of_a_gif_gives_whole_pictures_or_says_so() -> None:
    made = io.BytesIO()
    pages = [Pillow.fromarray(noisy(number)) for number in range(3)]
    pages[0].save(made, "GIF", save_all=True, append_images=pages[1:], duration=100)
    data = made.getvalue()
    for length in range(20, len(data), 41):
        try:
            moving = Moving(io.BytesIO(data[:length]))
            assert len(list(moving.frames())) <= 3
        except (Damaged, Unsupported):
            pass


def test_colours_by_an_unknown_matrix_are_refused(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", look={"colorspace": 8}, frames=2)
    with pytest.raises(UserError, match=r"its colours are YCgCo, which is not read"):
        load_film(path)


def test_a_sound_alone_begins_without_the_delay_of_its_encoder(tmp_path: Path) -> None:
    path = tmp_path / "a.webm"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libopus", rate=48_000, layout="mono")
        wave = np.sin(np.arange(24_000) * 0.1).astype(np.float32)[None] * 0.5
        piece = av.AudioFrame.from_ndarray(wave, "fltp", "mono")
        piece.sample_rate, piece.pts = 48_000, 0
        container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    with path.open("rb") as file:
        assert probe(file, False)["sound"]["begin"] >= 0
    assert np.abs(load_film(path).audio.samples[0, :250]).max() > 0.3
