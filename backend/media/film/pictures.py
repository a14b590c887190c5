"""The pictures of a container, one after the other by their times, turned upright."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, BinaryIO

import numpy as np

from backend.media.errors import Damaged, Unsupported
from backend.media.film.kinds import open_container, why
from backend.values.footage import Codes

HDR = {16: "PQ", 18: "HLG"}
STRANGE = {8: "YCgCo", 14: "ICtCp"}
"""Matrices that the filters do not know."""
_ACCURATE = "accurate_rnd+full_chroma_int+full_chroma_inp"
KERNELS = {"area": "area", "bilinear": "bilinear", "bicubic": "bicubic", "lanczos": "lanczos",
           "nearest": "neighbor"}  # fmt: skip


def best_stream(container: Any) -> Any | None:
    """The stream of moving pictures; the cover of a song is none."""
    from av.stream import Disposition

    still = Disposition.attached_pic | Disposition.timed_thumbnails
    moving = [stream for stream in container.streams.video if not stream.disposition & still]
    best = container.streams.best("video")
    return best if best in moving else moving[0] if moving else None


def time_of(thing: Any) -> float | None:
    """When a packet or frame is shown, in seconds of the file; ``None`` where it does not say."""
    stamp = thing.pts if thing.pts is not None else thing.dts
    return None if stamp is None else float(stamp * thing.time_base)


class Pictures:
    """Decodes a stream in order, from the beginning or from a time on."""

    def __init__(self, file: BinaryIO, kind: str, track: int | None) -> None:
        """Without ``track`` the best stream is taken.

        Raises:
            Damaged, Unsupported: the file cannot be read, or has no pictures.
        """
        self.container = open_container(file, kind)
        stream = best_stream(self.container) if track is None else self._numbered(track)
        if stream is None:
            raise Unsupported("it holds no moving pictures")
        self.stream: Any = stream
        self._decoder = self._chosen()
        self._decoder.thread_count = 2
        self._decoder.thread_type = "AUTO"

    def frames(self) -> Iterator[tuple[Any, str]]:
        """Decoded frames from where the container stands, each with what is wrong with it or was
        with what came before it, empty for nothing."""
        import av

        packets, harm = self.container.demux(self.stream), ""
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                made = self._decoder.decode(packet)
            except av.error.EOFError:
                return
            except av.error.FFmpegError as error:
                harm = why(error)
                continue
            for frame in made:
                yield frame, "parts of it are missing" if frame.is_corrupt else harm
                harm = ""

    def seek(self, seconds: float) -> None:
        """Go on from the last whole picture before a time."""
        stamp = int(seconds / self.stream.time_base)
        self.container.seek(stamp, stream=self.stream, backward=True)
        self._decoder.flush_buffers()

    def key_before(self, seconds: float) -> float | None:
        """When the last whole picture before a time stands; ``None`` where there is no index."""
        entries = self.stream.index_entries
        found = entries.search_timestamp(int(seconds / self.stream.time_base), backward=True)
        if found < 0 or not len(entries):
            return None
        return float(entries[found].timestamp * self.stream.time_base)

    def close(self) -> None:
        """Let go of the container."""
        self.container.close()

    def _numbered(self, track: int) -> Any:
        streams = self.container.streams
        if track >= len(streams) or streams[track].type != "video":
            raise Damaged(f"it has no pictures in track {track}")
        return streams[track]

    def _chosen(self) -> Any:
        """The decoder; the usual ones of VP8 and VP9 leave out alpha, another one does not."""
        from av.codec import CodecContext

        usual = self.stream.codec_context
        other = {"vp9": "libvpx-vp9", "vp8": "libvpx"}.get(usual.name)
        told = {name.lower(): value for name, value in self.stream.metadata.items()}
        if told.get("alpha_mode") != "1" or other is None:
            return usual
        context = CodecContext.create(other, "r")
        context.extradata = usual.extradata
        return context


def has_alpha(frame: Any) -> bool:
    """Whether the pixels of a frame have alpha."""
    return any(part.is_alpha for part in frame.format.components)


def deep(frame: Any) -> bool:
    """Whether the pixels of a frame have more than 8 bits."""
    return any(part.bits > 8 for part in frame.format.components)


def quarter_turns(frame: Any) -> int:
    """Quarter turns against the clock that bring a frame upright.

    Raises:
        Unsupported: it is turned by something else.
    """
    if frame.rotation % 90:
        raise Unsupported(f"it is turned by {frame.rotation} degrees, which is no quarter turn")
    return int(frame.rotation // 90) % 4


class Painter:
    """Turns decoded frames into RGB codes of one size.

    BT.601 and BT.709 are told apart by what the file declares and, where it declares nothing, by
    its size: from 720 lines on BT.709.
    """

    def __init__(self, size: tuple[int, int], form: str, filter: str = "bicubic") -> None:
        """``size`` is width and height before turning, ``form`` the library's name of the codes."""
        self._size = size
        self._form = form
        self._flags = f"{KERNELS[filter]}+{_ACCURATE}"
        self._seen: tuple[Any, ...] = ()
        self._graph: Any = None

    def paint(self, frame: Any, turn: int) -> Codes:
        """The codes ``[height, width, channels]`` of a frame, upright."""
        look = (frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range)
        if look != self._seen:
            self._graph, self._seen = self._built(frame), look
        frame.pts = None
        self._graph.push(frame)
        codes = self._graph.pull().to_ndarray()
        return np.rot90(codes, turn) if turn else codes

    def _built(self, frame: Any) -> Any:
        from av.filter import Graph

        width, height = self._size
        graph = Graph()
        source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1000)
        )
        told = f"w={width}:h={height}:flags={self._flags}"
        if not frame.format.is_rgb:
            told += f":in_color_matrix={matrix_of(frame)}:in_range={range_of(frame)}"
        scale = graph.add("scale", told)
        form = graph.add("format", self._form)
        sink = graph.add("buffersink")
        source.link_to(scale)
        scale.link_to(form)
        form.link_to(sink)
        graph.configure()
        return graph


def matrix_of(frame: Any) -> str:
    """How luma and chroma were made of RGB, as the library's filters call it."""
    known = {
        1: "bt709",
        4: "fcc",
        5: "bt601",
        6: "bt601",
        7: "smpte240m",
        9: "bt2020",
        10: "bt2020",
    }
    lines = max(frame.height, round(frame.width * 9 / 16))
    return known.get(int(frame.colorspace), "bt709" if lines >= 720 else "bt601")


def range_of(frame: Any) -> str:
    """Whether codes run from 16 to 235 (``tv``) or from 0 to 255 (``pc``)."""
    return "pc" if int(frame.color_range) == 2 or frame.format.name.startswith("yuvj") else "tv"
