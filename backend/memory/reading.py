"""The weights of one network as residency wants them: read from files, brought by a copier."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backend.catalog.errors import CatalogError

if TYPE_CHECKING:
    from torch import Tensor

    from backend.memory.copying import Brought, Copier
    from backend.memory.parts import Pool
    from backend.memory.sheet import Sheet


@dataclass
class Reading:
    """The weights of a module, read into the buffers of the copier that brings them to its device.
    ``spoilt``: its files are not those any more whose headers were read."""

    sheet: Sheet
    copier: Copier
    spoilt: bool = False

    @property
    def sizes(self) -> Mapping[str, int]:
        """Bytes that each takes on the device, by name."""
        return self.sheet.sizes

    @property
    def pool(self) -> Pool | None:
        """The host memory that they are read into; None where the device computes in it."""
        return self.copier.pool

    def cost(self, names: Sequence[str]) -> int:
        """Bytes of it that what ``read`` gives of these takes."""
        stored = self.sheet.stored
        wanted = {name: stored[name] for name in names}
        return self.sheet.source.cost(wanted, self.copier.buffers)

    def unchanged(self, names: Sequence[str]) -> None:
        """See that the files of these are still those whose headers were read.

        Raises:
            CatalogError: one was cut, replaced or is gone.
        """
        stored = self.sheet.stored
        with self._spoiling():
            self.sheet.source.unchanged(stored[name] for name in names)

    def read(self, names: Sequence[str], check: Callable[[], None]) -> dict[str, Tensor]:
        """The stored bytes, in host memory.

        Raises:
            CatalogError: a file was cut, replaced or is gone.
        """
        with self._spoiling():
            return self.sheet.read(names, check, self.copier.buffers)

    def bring(self, raws: Mapping[str, Tensor], spare: int) -> Brought:
        """Weights on the device, or on their way."""
        return self.copier.bring(raws, self.sheet.made, spare)

    def begin(self) -> None:
        """This thread computes with the module from now on."""
        self.copier.begin()

    def place(self, brought: Brought) -> None:
        """Put weights into the module; the thread that computes."""
        self.sheet.put(self.copier.meet(brought))

    def absent(self, names: Sequence[str]) -> None:
        """Let go of weights."""
        self.copier.left(self.sheet.absent(names))

    @contextmanager
    def _spoiling(self) -> Iterator[None]:
        try:
            yield
        except CatalogError:
            self.spoilt = True
            raise
