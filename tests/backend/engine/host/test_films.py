"""Videos on their way from a host to its client: frames travel, media files stay."""

from __future__ import annotations

import gc

import numpy as np

from backend.engine.client.values import take_value
from backend.engine.host.outbox import Outbox
from backend.media.film.edit import join
from backend.media.film.load import load_film
from backend.media.spool import Spool
from backend.values import Image
from tests.backend.media.film.films import film


def test_a_video_of_both_kinds_is_read_by_the_client(tmp_path):
    found = load_film(film(tmp_path / "clip.mp4", sound=0.5))
    made = Spool(tmp_path / "spool").video([Image(np.zeros((2, 48, 64, 3), np.float32))], 10, "8")
    both = join([made, found.video])
    whole = both.read().pixels
    outbox = Outbox(tmp_path / "outbox")
    video, audio = take_value(outbox.put([both, found.audio]))
    for file in (tmp_path / "spool").glob("*.frames"):
        file.unlink()
    assert np.array_equal(video.read().pixels, whole)
    assert np.array_equal(audio.samples, found.audio.samples)
    del video
    gc.collect()
    assert not list((tmp_path / "outbox").glob("*.frames"))
    assert (tmp_path / "clip.mp4").exists()
    outbox.close()
