"""What ``weft models`` does with the catalogue: opens, scans, finds, verifies and tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backend.cli.bars import bar
from backend.cli.errors import FAILED, Stop, near, wrong_usage
from backend.cli.streams import Output, tell


def scan_all(index: Any, output: Output) -> None:
    """Look through all models folders, and tell what was found.

    Raises:
        Stop: the settings or the index cannot be read.
    """
    from backend.catalog.identify import shipped_knowledge
    from backend.catalog.roots import default_roots
    from backend.catalog.scan import scan

    with sentences():
        roots = default_roots()
        done = scan(roots, index, shipped_knowledge())
    for trouble in done.troubles:
        tell(safe(trouble))
    output.record(
        {
            "event": "scanned", "new": done.new, "same": done.same, "gone": done.gone,
            "broken": done.broken, "seconds": round(done.seconds, 3),
            "folders": [str(root.path) for root in roots],
        }
    )  # fmt: skip
    for root in roots:
        output.line(str(root.path))
    broken = f", {done.broken} of them cannot be used" if done.broken else ""
    output.line(
        f"Models: {done.new + done.same}{broken}; {done.new} new or changed, {done.gone} gone, "
        f"in {done.seconds:.1f} s."
    )


def verify_one(index: Any, entry: Any, output: Output, *, again: bool) -> bool:
    """Hash one model, keep the hash and say how it stands; whether it is as it should be."""
    from backend.catalog.errors import CatalogError
    from backend.catalog.verify import Verdict, verify

    verdict = Verdict(True, "known", entry.content)
    if entry.problem or again or not entry.content:
        try:
            with progress_bar(entry.name, entry.size, json=output.json) as progress:
                verdict = verify(entry, index, _added(progress))
        except CatalogError as error:  # the other models are still to be looked at
            verdict = Verdict(False, str(error), entry.content)
    return _told(entry, output, verdict.content, verdict.said, good=verdict.good)


def _told(entry: Any, output: Output, content: str, verdict: str, *, good: bool) -> bool:
    told = {"content": content, "good": good, "verdict": verdict}
    output.record({"event": "verified", "name": entry.name, **told})
    output.line(f"{'ok' if good else '!!'} {safe(entry.name)}: {safe(verdict)}")
    return good


def one_model(index: Any, name: str) -> Any:
    """The one model that a name means.

    Raises:
        Stop: there is none, or several.
    """
    from backend.catalog.scan import find

    found = find(index, name)
    if not found:
        known = [entry.name for entry in index.entries()]
        short = {Path(each).name.rsplit(".", 1)[0]: each for each in known}
        hint = near(name, [*known, *short]) or " `weft models list` lists what the last scan found."
        raise wrong_usage(f"There is no model {name!r}.{hint}")
    if len(found) > 1:
        raise wrong_usage(
            f"{name!r} means {len(found)} models: {', '.join(e.name for e in found[:5])}. "
            "Name one of them whole, or by its path."
        )
    return found[0]


def plain(entry: Any) -> dict[str, Any]:
    """An entry of the index as JSON has it."""
    from backend.catalog.identity import to_plain

    return {
        "name": entry.name, "path": str(entry.path), "size": entry.size,
        "files": list(entry.files), "fast": entry.fast, "content": entry.content,
        "sha256": entry.sha256, "problem": entry.problem,
        "identity": to_plain(entry.identity) if entry.identity else None,
    }  # fmt: skip


def facts(entry: Any) -> Iterator[tuple[str, str]]:
    """What is known of an entry: a label and its value, line by line."""
    found = entry.identity
    if found is not None:
        families = ", ".join(found.families)
        yield "family", found.family or (f"one of {families}" if families else "unknown")
        yield "precision", found.precision or "-"
        yield "parameters", f"{found.parameters:,}"
        for space, value in found.spaces.items():
            yield f"{space} space", value
        for part in found.parts:
            prefix = f" under {part.prefix}" if part.prefix else ""
            yield "part", f"{part.part}: {part.pack}, {part.form} names{prefix}"
    yield "size", size(entry.size)
    yield "path", str(entry.path)
    yield "hash", entry.content or entry.fast or "-"


def safe(text: str) -> str:
    """What stands in names and files, without what a terminal would obey."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def size(count: int) -> str:
    """Bytes in words."""
    return f"{count / 2**30:.2f} GB" if count >= 2**28 else f"{count / 2**20:.1f} MB"


@contextmanager
def opened_index() -> Iterator[Any]:
    """The index of models; trouble with it ends the command with its sentence."""
    from backend.catalog.index import opened
    from backend.catalog.roots import index_file

    with sentences(), opened(index_file()) as index:
        yield index


@contextmanager
def sentences() -> Iterator[None]:
    """What the catalogue cannot do ends the command with its sentence."""
    from backend.catalog.errors import CatalogError

    try:
        yield
    except CatalogError as error:
        raise Stop(safe(str(error)), FAILED) from None


def _added(progress: Callable[[int, int], None]) -> Callable[[int], None]:
    """The same progress for who tells only what came since."""
    done = 0

    def more(count: int) -> None:
        nonlocal done
        done += count
        progress(done, 0)

    return more


@contextmanager
def progress_bar(name: str, total: int = 0, *, json: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar of bytes on a terminal; nothing elsewhere."""
    with bar("bytes", total, json=json) as tell_bar:
        yield lambda done, of: tell_bar(name, done, of)
