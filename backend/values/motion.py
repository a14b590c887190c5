"""Video and sound: frames and samples that lie in a file and are read a few at a time."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from backend.values.arrays import Float32, freeze
from backend.values.base import Value
from backend.values.footage import (
    DTYPES,
    Cropped,
    FrameDepth,
    FrameFile,
    FramesGone,
    Part,
    PictureTrack,
    Resized,
    Retimed,
    SoundTrack,
    Step,
    to_codes,
)
from backend.values.picture import ColorSpace, Image
from backend.values.readers import PlainReader, Reader, SoundReader, WorkerReader
from backend.values.worker import Check, go_on

__all__ = [
    "CHUNK_BYTES",
    "DTYPES",
    "Audio",
    "FrameDepth",
    "FrameFile",
    "FramesGone",
    "Joined",
    "Video",
    "VideoReader",
    "to_codes",
]

CHUNK_BYTES = 64 * 2**20
"""Bytes of float32 pixels that a reader holds at a time when it is not told otherwise."""
MOST_STEPS = 64
MOST_SAMPLES = 1 << 28
"""Samples of a media file, over all channels, that are held at once."""
DEEPEST = 16
"""How deep videos that were joined may lie in others."""


@dataclass(frozen=True)
class Video(Value):
    """A video: frames that any number of readers go through in bounded memory.

    They lie in a file of frames, in a media file that is decoded while it is read, or in several
    videos one after the other. ``steps`` are done to them, in order, while they are read. ``rate``
    is in frames per second; ``space`` is the transfer curve of the colour channels. Channels are as
    in an ``Image``.
    """

    file: FrameFile | PictureTrack | Joined
    rate: float
    space: ColorSpace = "srgb"
    steps: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.rate < 10_000:
            raise ValueError(f"a video has a rate above 0 frames a second, not {self.rate:g}")
        if self.frames < 1:
            raise ValueError("a video has at least one frame")
        if len(self.steps) > MOST_STEPS:
            raise ValueError(f"a video has at most {MOST_STEPS} steps")
        object.__setattr__(self, "rate", float(self.rate))

    @property
    def frames(self) -> int:
        timed = [step.frames for step in self.steps if isinstance(step, Part | Retimed)]
        return timed[-1] if timed else self.file.frames

    @property
    def height(self) -> int:
        return self._sized().height

    @property
    def width(self) -> int:
        return self._sized().width

    @property
    def channels(self) -> int:
        return self.file.channels

    @property
    def seconds(self) -> float:
        return self.frames / self.rate

    @property
    def is_there(self) -> bool:
        """Whether all files of its frames still lie there as they were."""
        return all(file.is_there for file in self.files)

    @property
    def files(self) -> tuple[FrameFile | PictureTrack, ...]:
        """All files that its frames lie in."""
        if isinstance(self.file, Joined):
            return tuple(file for video in self.file.videos for file in video.files)
        return (self.file,)

    @property
    def depth(self) -> FrameDepth:
        """What a frame is held in without loss, as far as its files go."""
        depths = {file.depth for file in self.files}
        return "float" if "float" in depths else "16" if "16" in depths else "8"

    def but(self, rate: float) -> Video:
        """The same frames at another rate, so faster or slower."""
        return replace(self, rate=rate)

    def then(self, step: Step, rate: float | None = None) -> Video:
        """The video with one step more; ``rate`` where that changes with it."""
        if isinstance(self.file, Joined) and isinstance(step, Resized | Cropped):
            return replace(self, file=Joined(tuple(v.then(step) for v in self.file.videos)))
        return replace(self, steps=(*self.steps, step), rate=rate or self.rate)

    def moved(self, move: Callable[[FrameFile], FrameFile]) -> Video:
        """The same with its files of frames elsewhere; media files stay where they are."""
        if isinstance(self.file, Joined):
            return replace(self, file=Joined(tuple(v.moved(move) for v in self.file.videos)))
        return replace(self, file=move(self.file)) if isinstance(self.file, FrameFile) else self

    def reader(self, check: Check = go_on) -> VideoReader:
        """Something that reads frames in any order, best in theirs. Close it, or use ``with``.

        ``check`` is called while frames are waited for, also from another thread, and may raise.
        """
        return VideoReader(self, check)

    def read(self, start: int = 0, stop: int | None = None, check: Check = go_on) -> Image:
        """The frames from ``start`` to before ``stop`` as a batch, float32, 0..1.

        To read one piece after the other, use ``reader`` or ``chunks``: they open the file once.

        Raises:
            ValueError: the range is empty or leaves the video.
            FramesGone: the file is gone, cut short or damaged.
        """
        with self.reader(check) as reader:
            return reader.read(start, stop)

    def chunks(
        self, most_bytes: int = CHUNK_BYTES, check: Check = go_on
    ) -> Generator[Image, None, None]:
        """All frames in order, as batches of at most ``most_bytes`` of pixels (one frame at least).

        Raises:
            FramesGone: the file is gone, cut short or damaged.
        """
        each = max(1, most_bytes // (self.height * self.width * self.channels * 4))
        with self.reader(check) as reader:
            for start in range(0, self.frames, each):
                stop = min(start + each, self.frames)
                yield reader.read(start, stop, min(stop + each, self.frames))

    def _sized(self) -> FrameFile | PictureTrack | Joined | Resized | Cropped:
        sized = [step for step in self.steps if isinstance(step, Resized | Cropped)]
        return sized[-1] if sized else self.file


@dataclass(frozen=True)
class Joined(Value):
    """Videos of one size and kind, one after the other. Their rates do not count."""

    videos: tuple[Video, ...]

    def __post_init__(self) -> None:
        looks = {(v.height, v.width, v.channels, v.space) for v in self.videos}
        if len(looks) != 1:
            raise ValueError("videos that are joined have one size and one kind")
        if self.deep > DEEPEST:
            raise ValueError(f"videos are joined at most {DEEPEST} deep")

    @property
    def deep(self) -> int:
        """How many joins lie in each other here."""
        return 1 + max(v.file.deep if isinstance(v.file, Joined) else 0 for v in self.videos)

    @property
    def frames(self) -> int:
        return sum(video.frames for video in self.videos)

    @property
    def height(self) -> int:
        return self.videos[0].height

    @property
    def width(self) -> int:
        return self.videos[0].width

    @property
    def channels(self) -> int:
        return self.videos[0].channels


class VideoReader:
    """Reads frames of a video; it holds a file or a process open until it is closed."""

    def __init__(self, video: Video, check: Check = go_on) -> None:
        self._video = video
        self._check = check
        self._reader: Reader | None = None

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def read(self, start: int = 0, stop: int | None = None, next_stop: int = 0) -> Image:
        """As ``Video.read``; the frames from ``stop`` to before ``next_stop`` are got ready."""
        video = self._video
        stop = video.frames if stop is None else stop
        if not 0 <= start < stop <= video.frames:
            raise ValueError(f"frames {start} to {stop} are not in a video of {video.frames}")
        self._check()
        if self._reader is None:
            self._reader = self._open()
        pixels = self._reader.frames(self._sources(start, stop), self._sources(stop, next_stop))
        pixels.setflags(write=False)
        return Image(pixels, video.space)

    def close(self) -> None:
        """Let go of files and processes."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _open(self) -> Reader:
        video = self._video
        looks = tuple(step for step in video.steps if isinstance(step, Resized | Cropped))
        if isinstance(video.file, Joined):
            return _JoinedReader(video.file, self._check)
        if isinstance(video.file, FrameFile) and not looks:
            return PlainReader(video.file, self._check)
        return WorkerReader(video.file, looks, self._check)

    def _sources(self, start: int, stop: int) -> list[int]:
        """Which frames of the file those of the video are."""
        timed = [step for step in self._video.steps if isinstance(step, Part | Retimed)]
        counts = [self._video.file.frames, *(step.frames for step in timed)]
        numbers = list(range(start, stop))
        for step, before in reversed(list(zip(timed, counts, strict=False))):
            numbers = [step.source(number, before) for number in numbers]
        return numbers


class _JoinedReader:
    """Reads videos one after the other; one of them is open at a time."""

    def __init__(self, joined: Joined, check: Check) -> None:
        self._videos = joined.videos
        ends = np.cumsum([video.frames for video in joined.videos])
        self._begins = [0, *(int(end) for end in ends)]
        self._check = check
        self._open: tuple[int, VideoReader] | None = None

    def frames(self, wanted: Sequence[int], then: Sequence[int] = ()) -> Float32:
        pieces = [self._piece(place, stop) for place, stop in self._runs(wanted)]
        return np.concatenate(pieces) if len(pieces) > 1 else pieces[0]

    def close(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def _runs(self, wanted: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Stretches of frames that follow one another inside one video: first, and behind last."""
        begin = 0
        for at in range(1, len(wanted) + 1):
            if at == len(wanted) or wanted[at] != wanted[at - 1] + 1 or wanted[at] in self._begins:
                yield wanted[begin], wanted[at - 1] + 1
                begin = at

    def _piece(self, start: int, stop: int) -> Float32:
        which = int(np.searchsorted(self._begins, start, side="right")) - 1
        if self._open is None or self._open[0] != which:
            self.close()
            self._open = which, self._videos[which].reader(self._check)
        begin = self._begins[which]
        return self._open[1].read(start - begin, stop - begin).pixels


@dataclass(frozen=True, eq=False)
class Audio(Value):
    """Sound: float32 ``[channels, samples]``, nominally -1..1, at ``rate`` samples per second and
    channel.

    ``source`` is a read-only array, or the sound of a media file that is decoded when it is read.
    """

    source: Float32 | SoundTrack
    rate: int

    def __post_init__(self) -> None:
        if not isinstance(self.source, SoundTrack):
            object.__setattr__(self, "source", freeze(self.source, 2))
            if 0 in self.source.shape:
                raise ValueError(f"a sound has no empty side (shape {self.source.shape})")
        if self.rate < 1:
            raise ValueError(f"a sound has a rate of at least 1 a second, not {self.rate}")

    @property
    def samples(self) -> Float32:
        """All samples, read-only. Of a media file they are decoded, and held as long as somebody
        holds them.

        Raises:
            FramesGone: the file is gone, was changed, is damaged, or has no sound.
        """
        return self.read()

    def read(self, check: Check = go_on) -> Float32:
        """``samples``; ``check`` is called while they are decoded, and may raise."""
        if not isinstance(self.source, SoundTrack):
            return self.source
        if self.is_silent_file:
            raise self._unheard(self.source)
        held = self.__dict__.get("_held")
        samples: Float32 | None = held() if held is not None else None
        if samples is None:
            if self.channels * self.length > MOST_SAMPLES:
                raise FramesGone(
                    f"The sound of {self.source.media.name!r} is {self.seconds:.0f} seconds long, "
                    "too long to be held as a whole. Trim audio makes it shorter."
                )
            samples = np.empty((self.channels, self.length), np.float32)
            done = 0
            for piece in self.chunks(check=check):
                samples[:, done : done + piece.shape[1]] = piece
                done += piece.shape[1]
            samples.setflags(write=False)
            object.__setattr__(self, "_held", weakref.ref(samples))
        return samples

    @staticmethod
    def _unheard(track: SoundTrack) -> FramesGone:
        return FramesGone(
            f"{track.media.name!r} has no sound. Take away the link from its audio, or use Silence "
            "in its place."
        )

    @property
    def is_silent_file(self) -> bool:
        """Whether it stands for the sound of a file that has none."""
        return isinstance(self.source, SoundTrack) and not self.source.channels

    @property
    def channels(self) -> int:
        if isinstance(self.source, SoundTrack):
            return self.source.channels
        return int(self.source.shape[0])

    @property
    def length(self) -> int:
        """Samples of each channel."""
        if isinstance(self.source, SoundTrack):
            return self.source.length
        return int(self.source.shape[1])

    @property
    def seconds(self) -> float:
        return self.length / self.rate

    def but(self, samples: Float32) -> Audio:
        """Other samples at the same rate."""
        return Audio(samples, self.rate)

    def part(self, first: int, last: int) -> Audio:
        """The samples from ``first`` to before ``last``; of a media file none is read for that."""
        if (first, last) == (0, self.length):
            return self
        if isinstance(self.source, SoundTrack):
            begin = self.source.begin + first / self.rate
            return Audio(replace(self.source, begin=begin, length=last - first), self.rate)
        return self.but(self.source[:, first:last])

    def chunks(self, length: int = 1 << 20, check: Check = go_on) -> Iterator[Float32]:
        """All samples in order, ``[channels, up to length]``, in bounded memory.

        Raises:
            FramesGone: as ``samples``.
        """
        if not isinstance(self.source, SoundTrack):
            for start in range(0, self.length, length):
                yield self.source[:, start : start + length]
            return
        if self.is_silent_file:
            raise self._unheard(self.source)
        reader = SoundReader(self.source, self.rate, check)
        try:
            for start in range(0, self.length, length):
                yield reader.samples(start, min(start + length, self.length))
        finally:
            reader.close()
