"""What ``weft train adapter`` does: trains, tells how far it is, and writes the files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backend.cli.bars import bar
from backend.cli.errors import DONE, FAILED, Stop, wrong_usage
from backend.cli.places import user_settings
from backend.cli.run import real_device
from backend.cli.streams import Output, tell

if TYPE_CHECKING:
    from backend.train.adapter.session import Order, Watcher
    from backend.values import Image


@dataclass(frozen=True)
class Wish:
    """What the command line asks for."""

    examples: Path
    out: Path
    model: str
    form: str
    targets: str
    rank: int
    steps: int
    rate: float
    batch: int
    levels: int
    size: int
    seed: int
    samples: int
    work: Path | None
    device: str | None


def train_adapter(wish: Wish, *, json: bool) -> int:
    """Train, and write the adapter and its two pictures.

    Raises:
        Stop: something that is asked for cannot be.
    """
    output = Output(json)
    _check_out(wish.out)
    settings = user_settings()
    device = real_device(wish.device or settings.run.device)
    with _sentences():
        from backend.train.adapter import course as courses
        from backend.train.adapter.looks import plot, samples
        from backend.train.adapter.session import train

        order = _order(wish, device)
        tell(f"The checkpoint lies in {order.folder}; the same command goes on from it.")
        with _shown(wish, order, output) as watcher:
            done = train(order, watcher)
        try:
            courses.write(done.course, wish.out)
            _save(wish.out.with_name(f"{wish.out.stem}-samples.png"), samples(done.course))
        finally:
            done.course.close()
        _save(wish.out.with_name(f"{wish.out.stem}-loss.png"), plot(done.losses))
    loss = done.losses[-1] if done.losses else 0.0
    size = wish.out.stat().st_size
    output.record({"event": "trained", "file": str(wish.out), "bytes": size,
                   "steps": len(done.losses), "loss": loss})  # fmt: skip
    output.line(f"{wish.out}  {size / 1e6:.2f} MB, {len(done.losses)} steps, loss {loss:.4f}")
    return DONE


def _check_out(path: Path) -> None:
    if path.suffix != ".safetensors":
        raise wrong_usage(f"--out {path}: the file's name ends in .safetensors.")
    if path.is_dir() or not path.parent.is_dir():
        raise wrong_usage(f"--out {path}: there is no folder {path.parent} to write a file in.")
    if not os.access(path.parent, os.W_OK):
        raise wrong_usage(f"--out {path}: the folder {path.parent} may not be written to.")


def _order(wish: Wish, device: str) -> Order:
    from backend.catalog.source import open_model
    from backend.engine.lookup import model_folder
    from backend.media.grants import Grants
    from backend.settings import cache_folder
    from backend.train.adapter.plan import AdapterPlan
    from backend.train.adapter.session import Order, place_of
    from backend.train.tuning import TunePlan

    here = Path.cwd()
    near = Path(wish.model).expanduser()
    grants = Grants(here, (near.resolve(),) if near.exists() else ())
    course = TunePlan(
        steps=wish.steps, levels=wish.levels, batch=wish.batch, warmup=20, hold=0.6, seed=wish.seed
    )
    plan = AdapterPlan(wish.form, wish.targets, wish.rank, wish.rate, wish.size, course=course)
    model = open_model(model_folder(grants, wish.model)).source
    order = Order(model, wish.examples, plan, Path(), device)
    root = cache_folder(user_settings()) / "training"
    folder = wish.work if wish.work is not None else place_of(root, order)
    return Order(model, wish.examples, plan, folder, device)


@contextmanager
def _shown(wish: Wish, order: Order, output: Output) -> Iterator[Watcher]:
    """Tells progress: a bar on a terminal, records with ``--json``."""
    from backend.train.adapter.session import Watcher

    with bar("steps", json=output.json) as tell_bar:

        def told(done: int, steps: int, loss: float) -> None:
            tell_bar(f"loss {loss:.4f}", done, steps)
            output.record({"event": "step", "done": done, "steps": steps, "loss": loss})

        def show(sheet: Image) -> None:
            _save(order.folder / "samples.png", sheet)
            output.record({"event": "samples", "file": str(order.folder / "samples.png")})

        yield Watcher(told, lambda done, of: tell_bar("pictures", done, of), show, wish.samples)


def _save(path: Path, image: Image) -> None:
    from backend.media.images import ImageOptions, write_image

    write_image(path, image, ImageOptions())


@contextmanager
def _sentences() -> Iterator[None]:
    """What cannot be trained ends the command with its sentence."""
    from backend.catalog.errors import CatalogError
    from backend.diffusion.errors import DiffusionError
    from backend.sdk import UserError

    try:
        yield
    except (CatalogError, DiffusionError, UserError) as error:
        raise Stop(str(error), FAILED) from None
