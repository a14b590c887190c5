"""The sound of a media file by sample numbers, laid out by its packets' times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np

from backend.media.errors import Damaged
from backend.media.film.kinds import kind_of, open_container, why
from backend.values.footage import Codes

JITTER = 0.004
"""Seconds by which the time of a piece may miss the end of the one before, as rounded times do,
without being taken for a gap."""


class Sound:
    """Samples of a stream. They are asked for in order, or from anywhere."""

    def __init__(self, file: BinaryIO, told: Mapping[str, Any]) -> None:
        """``told`` are the fields of a ``SoundTrack``, and its rate."""
        self._file, self._told = file, told
        file.seek(0)
        self._kind = kind_of(file.read(16))
        self._pieces = self._decoded()
        self._at = 0
        self._rest = np.zeros((told["channels"], 0), np.float32)

    def samples(self, start: int, stop: int) -> Codes:
        """The samples from ``start`` to before ``stop``, ``[channels, samples]``; silence where the
        file has none.

        Raises:
            Damaged: they cannot be decoded.
        """
        if start < self._at:
            self._pieces, self._at = self._decoded(), 0
            self._rest = self._rest[:, :0]
        made = np.zeros((self._told["channels"], stop - start), np.float32)
        while self._at < stop:
            if not self._rest.shape[1]:
                piece = next(self._pieces, None)
                if piece is None:
                    self._at = max(self._at, stop)
                    break
                self._rest = piece
            take = min(self._rest.shape[1], stop - self._at)
            skip = max(0, min(take, start - self._at))
            if take > skip:
                to = self._at + skip - start
                made[:, to : to + take - skip] = self._rest[:, skip:take]
            self._rest = self._rest[:, take:]
            self._at += take
        return made

    def _decoded(self) -> Iterator[Codes]:
        """All samples from number 0 on, gaps filled with silence and what overlaps cut."""
        rate, at, ends = self._told["rate"], 0, None
        for time, piece in self._frames():
            due = ends or 0 if time is None else round((time - self._told["begin"]) * rate)
            if ends is not None and abs(due - ends) <= JITTER * rate:
                due = ends
            ends = due + piece.shape[1]
            if due > at:
                for begin in range(at, due, 1 << 20):
                    yield np.zeros((len(piece), min(1 << 20, due - begin)), np.float32)
                at = due
            piece = piece[:, at - due :]
            at += piece.shape[1]
            if piece.shape[1]:
                yield piece

    def _frames(self) -> Iterator[tuple[float | None, Codes]]:
        import av

        container = open_container(self._file, self._kind)
        stream = container.streams[self._told["track"]]
        resampler: Any = None
        look: Any = None
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                frames = packet.decode()
            except av.error.EOFError:
                return
            except av.error.FFmpegError as error:
                if not self._told["repair"]:
                    raise Damaged(
                        f"its sound cannot be decoded ({why(error)}). Set damaged to repeat on the "
                        "node that loads it, and such places are silent"
                    ) from error
                continue
            for frame in frames:
                if (seen := (frame.format.name, frame.layout.name, frame.sample_rate)) != look:
                    look, resampler = seen, self._resampler(stream)
                time = None if frame.pts is None else float(frame.pts * frame.time_base)
                for each in resampler.resample(frame):
                    channels = self._told["channels"]
                    yield time, each.to_ndarray().reshape(-1, channels).T
                    time = None

    def _resampler(self, stream: Any) -> Any:
        from av.audio.resampler import AudioResampler

        return AudioResampler("flt", stream.layout.name, self._told["rate"])
