"""Videos to files: H.264 and AAC in MP4, VP9 and Opus in WebM, and GIF."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np

from backend.media.color import srgb_from_linear
from backend.media.film import carry
from backend.media.film.kinds import why
from backend.media.film.mixing import LAYOUTS, sound_frame
from backend.media.metadata import dump_provenance, split_sidecar
from backend.media.outputs import sidecar_of
from backend.sdk import UserError
from backend.values import Audio, Color, Image, Video

Format = Literal["mp4", "webm", "gif"]
SUFFIXES: Mapping[str, str] = {"mp4": ".mp4", "webm": ".webm", "gif": ".gif"}

_CHUNK = 8 * 2**20
"""Bytes of pixels that are held at a time: a few frames, so that reading goes on meanwhile."""
_THREADS = 4
"""Always so many, since an encoder's result depends on it."""
_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
_SIDE = {"mp4": 16384, "webm": 16384, "gif": 65535}
FASTEST_GIF = 50.0
"""Frames per second: a picture of a GIF stands at least two hundredths of a second."""

SLOWEST = 0.01
"""Frames per second."""

BLACK = Color(0, 0, 0)


@dataclass(frozen=True, slots=True)
class VideoOptions:
    """How a video is written. ``quality`` is 1 to 100; ``background`` shows through what is
    transparent where the format has no alpha (MP4)."""

    format: Format = "mp4"
    quality: int = 75
    background: Color = BLACK


def write_video(
    path: Path,
    video: Video,
    options: VideoOptions,
    audio: Audio | None = None,
    provenance: Mapping[str, Any] | None = None,
    check: Callable[[], None] = lambda: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Write a video with its sound, frame by frame, and its provenance inside or in a sidecar.

    The colours are declared and converted as BT.709 of limited range. MP4 needs even sides: an odd
    one gets its last row or column twice. A sound that is longer than the pictures ends with them.

    Raises:
        UserError: the format cannot hold it, or the sound holds values that are no numbers.
        FramesGone: what it is read from is gone or damaged.
        OSError: the file cannot be written.
    """
    import av

    _require(video, options, audio)
    text, sidecar = split_sidecar(dump_provenance(provenance)) if provenance else ("", b"")
    try:
        if options.format == "gif":
            _write_gif(path, video, check, progress)
            if text:
                carry.append_gif(path, text)
        else:
            _write_film(path, video, options, audio, text, check, progress)
    except av.error.FFmpegError as error:
        if isinstance(error, OSError) and error.errno and error.errno < 200:
            raise OSError(error.errno, error.strerror) from error
        raise UserError(f"The video cannot be encoded: {why(error)}.") from error
    if sidecar:
        sidecar_of(path).write_bytes(sidecar)


def _require(video: Video, options: VideoOptions, audio: Audio | None) -> None:
    if video.rate < SLOWEST:
        raise UserError(
            f"A video has at least {SLOWEST:g} frames per second, not {video.rate:.3g}. "
            "Give another rate, or put Change rate before it."
        )
    most = _SIDE[options.format]
    if max(video.width, video.height) > most:
        raise UserError(
            f"{options.format.upper()} has at most {most} pixels to a side; the video has "
            f"{video.width}x{video.height}. Resize it first."
        )
    if options.format == "gif" and audio is not None:
        raise UserError("A GIF has no sound. Choose mp4 or webm, or take away the audio.")
    if audio is not None and not audio.is_silent_file and audio.channels not in LAYOUTS:
        raise UserError(
            f"A video has sound of 1 to 8 channels, not {audio.channels}. Mix it down first."
        )


def _write_film(
    path: Path,
    video: Video,
    options: VideoOptions,
    audio: Audio | None,
    text: str,
    check: Callable[[], None],
    progress: Callable[[int, int], None],
) -> None:
    import av

    settings = {"fflags": "+bitexact"} | ({"movflags": "+faststart"} if _is_mp4(options) else {})
    form = "mp4" if _is_mp4(options) else "webm"
    rate = Fraction(video.rate).limit_denominator(10_000)
    with av.open(str(path), "w", format=form, container_options=settings) as container:
        if text:
            container.metadata["comment"] = carry.MARK + text
        stream = _stream(container, video, options, rate)
        sound = _Sounding(container, audio, options, check) if audio is not None else None
        for number, frame in enumerate(_frames(video, options, stream, check)):
            progress(number, video.frames)
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(stream.encode(frame))
            if sound is not None:
                sound.until(float((number + 1) / rate))
        container.mux(stream.encode(None))
        if sound is not None:
            sound.end()
    progress(video.frames, video.frames)


def _is_mp4(options: VideoOptions) -> bool:
    return options.format == "mp4"


def _stream(container: Any, video: Video, options: VideoOptions, rate: Fraction) -> Any:
    quality, clear = options.quality, video.channels == 4 and not _is_mp4(options)
    if _is_mp4(options):
        told = {"preset": "medium", "crf": f"{48 - 0.4 * quality:.1f}"}
        stream = container.add_stream("libx264", rate=rate, options=told)
    else:
        told = {"crf": str(round(63 - 0.59 * quality)), "deadline": "good", "cpu-used": "4",
                "row-mt": "1", "auto-alt-ref": "0" if clear else "1"}  # fmt: skip
        stream = container.add_stream("libvpx-vp9", rate=rate, options=told)
        stream.bit_rate = 0  # the quality decides
        if clear:
            stream.metadata["alpha_mode"] = "1"
    even = 2 if _is_mp4(options) else 1
    stream.width, stream.height = (side + -side % even for side in (video.width, video.height))
    stream.pix_fmt = "yuva420p" if clear else "yuv420p"
    context = stream.codec_context
    context.thread_count = _THREADS
    context.color_primaries = context.color_trc = context.colorspace = 1  # BT.709
    context.color_range = 1  # limited
    return stream


def _frames(
    video: Video, options: VideoOptions, stream: Any, check: Callable[[], None]
) -> Iterator[Any]:
    """The frames as the encoder takes them."""
    import av

    clear = stream.pix_fmt == "yuva420p"
    form = "rgba" if clear else "rgb24"
    graph = _graph(stream.width, stream.height, form, _yuv(stream.pix_fmt))
    for codes in _codes(video, clear, options.background, check):
        wide = ((0, stream.height - codes.shape[0]), (0, stream.width - codes.shape[1]), (0, 0))
        if any(after for _, after in wide):
            codes = np.pad(codes, wide, mode="edge")
        graph.push(av.VideoFrame.from_ndarray(np.ascontiguousarray(codes), form))
        yield graph.pull()


def _yuv(form: str) -> list[tuple[str, str]]:
    flags = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
    return [("scale", f"flags={flags}:out_color_matrix=bt709:out_range=tv"), ("format", form)]


def _graph(width: int, height: int, form: str, filters: list[tuple[str, str]]) -> Any:
    from av.filter import Graph
    from av.video.format import VideoFormat

    graph = Graph()
    last = graph.add_buffer(
        width=width, height=height, format=VideoFormat(form), time_base=Fraction(1, 1000)
    )
    for name, told in filters:
        made = graph.add(name, told)
        last.link_to(made)
        last = made
    last.link_to(graph.add("buffersink"))
    graph.configure()
    return graph


def _codes(
    video: Video, clear: bool, background: Color, check: Callable[[], None]
) -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    """Every frame as sRGB codes of three channels, or with ``clear`` of four."""
    with contextlib.closing(video.chunks(_CHUNK, check)) as batches:
        for batch in batches:
            for pixels in batch.pixels:
                check()
                yield _sealed(pixels, batch, clear, background)


def _sealed(
    pixels: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    batch: Image,
    clear: bool,
    background: Color,
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    colour = np.repeat(pixels, 3, axis=2) if batch.channels == 1 else pixels[..., :3]
    if batch.space == "linear":
        colour = srgb_from_linear(colour)
    if batch.has_alpha:
        alpha = pixels[..., 3:]
        if clear:
            colour = np.concatenate([colour, alpha], axis=2)
        else:
            ground = np.asarray((background.red, background.green, background.blue), np.float32)
            colour = colour * alpha + ground * (1 - alpha)
    elif clear:
        colour = np.concatenate([colour, np.ones_like(colour[..., :1])], axis=2)
    return np.rint(np.nan_to_num(np.clip(colour, 0, 1)) * 255).astype(np.uint8)


class _Sounding:
    """Encodes a sound beside the pictures, no further than they are."""

    def __init__(
        self, container: Any, audio: Audio, options: VideoOptions, check: Callable[[], None]
    ) -> None:
        rate = 48_000
        if _is_mp4(options) and audio.rate in _AAC_RATES:
            rate = audio.rate
        self._container, self._rate = container, audio.rate
        self._pieces = audio.chunks(1 << 16, check)
        first = next(self._pieces)  # whether it can be read shows before anything is written
        self._held, self._at = first, 0
        self._layout, told = LAYOUTS[audio.channels], {}
        if not _is_mp4(options):
            self._layout = "quad" if audio.channels == 4 else self._layout  # Opus has no 4.0
            told = {"mapping_family": "1"} if audio.channels > 2 else {}  # else it reorders some
        self._stream = container.add_stream(
            "aac" if _is_mp4(options) else "libopus", rate=rate, layout=self._layout, options=told
        )
        self._stream.bit_rate = 96_000 * max(1, min(audio.channels, 4))

    def until(self, seconds: float) -> None:
        """Encode what is heard before a time."""
        wanted = round(seconds * self._rate) - self._at
        while wanted > 0:
            if not self._held.shape[1]:
                piece = next(self._pieces, None)
                if piece is None:
                    return
                self._held = piece
            part, self._held = self._held[:, :wanted], self._held[:, wanted:]
            if not np.isfinite(part).all():
                raise UserError("The sound holds values that are no numbers (NaN or infinity).")
            frame = sound_frame(np.clip(part, -1, 1), self._layout)
            frame.sample_rate = self._rate
            frame.pts, frame.time_base = self._at, Fraction(1, self._rate)
            self._container.mux(self._stream.encode(frame))
            self._at += part.shape[1]
            wanted -= part.shape[1]

    def end(self) -> None:
        """Encode what is left inside the encoder."""
        self._pieces.close()  # type: ignore[attr-defined]
        self._container.mux(self._stream.encode(None))


def _write_gif(
    path: Path,
    video: Video,
    check: Callable[[], None],
    progress: Callable[[int, int], None],
) -> None:
    """Each frame gets its own palette, of up to 256 colours."""
    import av

    rate = Fraction(video.rate).limit_denominator(10_000)
    clear = video.channels == 4
    form = "rgba" if clear else "rgb24"
    with av.open(str(path), "w", format="gif", container_options={"fflags": "+bitexact"}) as out:
        stream = out.add_stream("gif", rate=rate)
        stream.width, stream.height, stream.pix_fmt = video.width, video.height, "pal8"
        graph = _palettes(video.width, video.height, form)
        for number, codes in enumerate(_codes(video, clear, BLACK, check)):
            progress(number, video.frames)
            graph.push(av.VideoFrame.from_ndarray(codes, form))
            frame = graph.pull()
            frame.pts, frame.time_base = number, 1 / rate
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    progress(video.frames, video.frames)


def _palettes(width: int, height: int, form: str) -> Any:
    from av.filter import Graph
    from av.video.format import VideoFormat

    graph = Graph()
    source = graph.add_buffer(
        width=width, height=height, format=VideoFormat(form), time_base=Fraction(1, 1000)
    )
    split = graph.add("split")
    palette = graph.add("palettegen", "stats_mode=single:reserve_transparent=1")
    use = graph.add("paletteuse", "new=1:dither=sierra2_4a")
    sink = graph.add("buffersink")
    source.link_to(split)
    split.link_to(use, 0, 0)
    split.link_to(palette, 1, 0)
    palette.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    return graph
