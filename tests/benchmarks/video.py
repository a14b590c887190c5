"""How much memory a long video takes, and how well sound and picture fit in what is written.

Run it with ``python -m tests.benchmarks.video`` (``--seconds 30`` for a short one). A 1080p file
with sound is made, then read, resized to 640 x 360 and written by a workflow in an engine's host
process. Told is the most memory of the whole process tree (proportional set size: what processes
share counts once) above that of the same tree while it is idle. Then flashes and beeps of known
times are written as MP4 and WebM and found again in the file by its own time stamps.
"""

from __future__ import annotations

import argparse
import datetime
import multiprocessing
import os
import platform
import tempfile
import threading
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from backend.engine.client import HostClient
from backend.engine.wire import RunJob, Setup
from backend.graph.document import Graph, Node, Ref, Workflow
from backend.graph.format import dump
from backend.media.film.write import Format, VideoOptions, write_video
from backend.media.spool import Spool
from backend.values import Audio, Image

RATE = 30
FLASHES = (1.0, 2.5, 4.0, 7.3, 9.9)
SECONDS = 11
BEEP = 1000.0


def make_source(path: Path, seconds: int) -> None:
    """A 1080p file of moving bars over a gradient, with a tone: H.264 and AAC, a whole picture
    every two seconds."""
    import av

    down, across = np.mgrid[0:1080, 0:1920]
    luma = (16 + (across // 12 + down // 9) % 200).astype(np.uint8)
    with av.open(str(path), "w", container_options={"movflags": "+faststart"}) as container:
        video = container.add_stream(
            "libx264", rate=RATE, options={"preset": "ultrafast", "crf": "30", "g": "60"}
        )
        video.width, video.height, video.pix_fmt = 1920, 1080, "yuv420p"
        sound = container.add_stream("aac", rate=48_000, layout="stereo")
        planes = np.full((1620, 1920), 128, np.uint8)
        tone = np.sin(np.arange(48_000) * (2 * np.pi * 440 / 48_000)).astype(np.float32) * 0.2
        for number in range(seconds * RATE):
            planes[:1080] = luma
            at = number * 8 % 1800
            planes[200:880, at : at + 120] = 235
            frame = av.VideoFrame.from_ndarray(planes, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(video.encode(frame))
            if number % RATE == 0:
                heard = av.AudioFrame.from_ndarray(np.stack([tone, tone]), "fltp", "stereo")
                heard.sample_rate, heard.pts = 48_000, number // RATE * 48_000
                heard.time_base = Fraction(1, 48_000)
                container.mux(sound.encode(heard))
        container.mux(video.encode(None))
        container.mux(sound.encode(None))


class Watch:
    """The most memory of this process and all below it, looked at again and again."""

    def __init__(self, every: float = 0.2) -> None:
        self.most = 0
        self.parts: dict[str, int] = {}
        self._every, self._done = every, threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(self._every):
            parts = tree()
            if sum(parts.values()) > self.most:
                self.most, self.parts = sum(parts.values()), parts


def tree_bytes() -> int:
    """The memory of this process and all below it."""
    return sum(tree().values())


def tree() -> dict[str, int]:
    """The memory of each process, by number and program."""
    found: dict[str, int] = {}
    own = psutil.Process()
    for process in (own, *own.children(recursive=True)):
        try:
            name = " ".join(process.cmdline()[1:4])
            found[f"{process.pid} {name}"] = process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def settled() -> int:
    """The memory of the tree once it no longer grows: hosts import model libraries while idle."""
    seen = [tree_bytes()]
    while len(seen) < 8 or max(seen[-8:]) - min(seen[-8:]) > 4e6:
        time.sleep(1)
        seen.append(tree_bytes())
    return seen[-1]


def flow(name: str, sound: bool, format: str = "mp4") -> str:
    """Read, resize, write."""
    links = {"video": Ref("small", "video")}
    if sound:
        links["audio"] = Ref("load", "audio")
    nodes = {
        "load": Node("load_video", params={"file": name}),
        "small": Node(
            "resize_video",
            params={"width": 640, "height": 360, "mode": "stretch"},
            inputs={"video": Ref("load", "video")},
        ),
        "save": Node("save_video", params={"format": format}, inputs=links),
    }
    return dump(Workflow(graph=Graph(nodes=nodes)))


IDLE = dump(Workflow(graph=Graph(nodes={
    "quiet": Node("silence", params={"seconds": 0.01}),
    "save": Node("save_audio", inputs={"audio": Ref("quiet", "audio")}),
})))  # fmt: skip


def measure_memory(folder: Path, seconds: int) -> dict[str, float]:
    """Megabytes above the idle engine, and how fast it went."""
    source = folder / "source.mp4"
    maker = multiprocessing.get_context("spawn").Process(target=make_source, args=(source, seconds))
    begin = time.monotonic()
    maker.start()
    maker.join()
    assert maker.exitcode == 0
    made = time.monotonic() - begin
    with HostClient(Setup(str(folder / "cache"), disk=0)) as client:

        def run(name: str, text: str) -> Any:
            job = RunJob(name, text, str(folder), (str(folder),), str(folder / "out"))
            outcome = client.run(job)
            assert outcome.status == "done", outcome
            return outcome

        run("idle", IDLE)
        idle = settled()
        begin = time.monotonic()
        with Watch() as watch:
            run("film", flow("source.mp4", sound=True))
        took = time.monotonic() - begin
    for name, size in watch.parts.items():
        print(f"  {size / 1e6:6.0f} MB  {name}")
    (written,) = (folder / "out").glob("*.mp4")
    check_written(written, seconds)
    return {
        "made_s": made, "took_s": took, "idle_mb": idle / 1e6,
        "above_mb": (watch.most - idle) / 1e6,
        "source_mb": source.stat().st_size / 1e6, "written_mb": written.stat().st_size / 1e6,
    }  # fmt: skip


def check_written(path: Path, seconds: int) -> None:
    """Whether a file has all frames and its sound."""
    import av

    with av.open(str(path)) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        assert (video.width, video.height, video.frames) == (640, 360, seconds * RATE)
        assert abs(float(sound.duration * sound.time_base) - seconds) < 0.05


def write_flashes(path: Path, format: Format, spool: Path) -> None:
    """A dark video with a white frame, and a quiet sound with a beep, at each of ``FLASHES``."""
    pixels = np.zeros((SECONDS * RATE, 36, 64, 3), np.float32)
    heard = np.zeros((1, SECONDS * 44_100), np.float32)
    beep = 0.8 * np.sin(np.arange(4410) * (2 * np.pi * BEEP / 44_100))
    for flash in FLASHES:
        pixels[round(flash * RATE)] = 1
        at = round(round(flash * RATE) / RATE * 44_100)
        heard[0, at : at + 4410] = beep
    store = Spool(spool)
    video = store.video([Image(pixels)], float(RATE), "8")
    write_video(path, video, VideoOptions(format, 80), Audio(heard, 44_100))


def sync_error(path: Path) -> float:
    """The largest distance of a beep from its flash, in seconds, by the file's own time stamps."""
    import av

    with av.open(str(path)) as container:
        frames = container.decode(container.streams.video[0])
        white = [float(f.time) for f in frames if f.to_ndarray(format="gray").mean() > 128]
    with av.open(str(path)) as container:
        onsets: list[float] = []
        quiet_since = -1.0
        for frame in container.decode(container.streams.audio[0]):
            samples = frame.to_ndarray()[0]
            if samples.dtype == np.int16:
                samples = samples / 32768
            for place in np.flatnonzero(np.abs(samples) > 0.2):
                at = float(frame.pts * frame.time_base) + int(place) / frame.sample_rate
                if at - quiet_since > 0.3:
                    onsets.append(at)
                quiet_since = at
    assert len(white) == len(onsets) == len(FLASHES), (white, onsets)
    known = [round(flash * RATE) / RATE for flash in FLASHES]
    assert max(abs(a - b) for a, b in zip(white, known, strict=True)) < 0.002
    return max(abs(a - b) for a, b in zip(white, onsets, strict=True))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=600, help="length of the long video")
    given = parser.parse_args()
    print(
        f"{datetime.date.today()}, {platform.machine()}, {os.cpu_count()} cores, load "
        f"{os.getloadavg()[0]:.1f}, {platform.system()} {platform.release()}, Python "
        f"{platform.python_version()}"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        formats: tuple[Format, ...] = ("mp4", "webm")
        for format in formats:
            path = folder / f"flash.{format}"
            write_flashes(path, format, folder / "spool")
            print(
                f"{format}: sound and picture within {sync_error(path) * 1000:.2f} ms", flush=True
            )
        told = measure_memory(folder, given.seconds)
    print(
        f"{given.seconds} s of 1920x1080 at {RATE}/s ({told['source_mb']:.0f} MB, made in "
        f"{told['made_s']:.0f} s) to 640x360 ({told['written_mb']:.0f} MB) in "
        f"{told['took_s']:.0f} s: {told['above_mb']:.0f} MB above the idle engine's "
        f"{told['idle_mb']:.0f} MB"
    )


if __name__ == "__main__":
    main()
