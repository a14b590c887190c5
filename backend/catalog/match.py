"""Comparing the names and shapes of tensors with the signatures of the packs.

Each signature is looked for under every prefix that programs put before names. It fits when all
its tensors are there in their shapes. Where one fitting denoiser demands all that another does and
more, it alone counts: the other is a variant of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from backend.catalog.identity import Found, Near
from backend.catalog.pack import Book, Signature, agrees

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Match:
    """A signature that fits under a prefix."""

    signature: Signature
    prefix: str

    @property
    def names(self) -> frozenset[str]:
        """The full names of the tensors that it took."""
        return frozenset(self.prefix + key for key in self.signature.form.shapes)


def find_matches(shapes: Shapes, book: Book) -> list[Match]:
    """Every signature that fits, under known prefixes or, if there is none, under any."""
    return under_known_prefixes(shapes, book) or under_any_prefix(shapes, book)


def under_known_prefixes(shapes: Shapes, book: Book) -> list[Match]:
    """Every signature that fits under a prefix that programs or packs have."""
    return [
        Match(signature, prefix)
        for key in shapes.keys() & book.anchors.keys()
        for prefix, signature in book.anchors[key]
        if signature.fits(shapes, prefix)
    ]


def under_any_prefix(shapes: Shapes, book: Book) -> list[Match]:
    """Every signature that fits under whatever prefix; slower."""
    endings = tuple(book.endings)
    found: list[Match] = []
    for key in shapes:
        if key.endswith(endings):
            for ending, signatures in book.endings.items():
                if key.endswith(ending):
                    prefix = key[: len(key) - len(ending) + 1]
                    found += [Match(s, prefix) for s in signatures if s.fits(shapes, prefix)]
    return found


def choose(matches: Iterable[Match], name: str, family: str | None = None) -> list[Found]:
    """One answer per part of a file: matches that share tensors compete, the most specific wins.

    Those that ask for a proper part of what the winner asks for fall away; the rest are ``also``.
    Those of ``family`` win, then those that the file's ``name`` speaks of, then shared encoders.
    """
    fitting = _without_implied(list(matches))
    spoken = {m.signature.pack.name: 0.0 for m in fitting}
    if len(spoken) > 1:
        spoken = {pack: likeness(pack, name) for pack in spoken}

    def rank(match: Match) -> tuple[int, float, bool, int, str, str, int]:
        pack, part = match.signature.pack, match.signature.part
        strange = 0 if family is None or pack.family == family else 2 if pack.family else 1
        of_family = part.kind == "text" and bool(pack.family)
        size, said = match.signature.size, spoken[pack.name]
        return strange, -said, of_family, -size, pack.name, part.part, len(match.prefix)

    ordered = sorted(fitting, key=rank)
    chosen: list[Found] = []
    taken: set[str] = set()
    for match in ordered:
        if match.names & taken:
            continue
        taken |= match.names
        signature = match.signature
        rivals = [m for m in ordered if m is not match and m.names & match.names]
        also = dict.fromkeys(m.signature.pack.name for m in rivals)
        also.pop(signature.pack.name, None)
        chosen.append(
            Found(
                signature.part.part,
                signature.part.kind,
                signature.pack.name,
                signature.form.name,
                match.prefix,
                also=tuple(also),
            )
        )
    return chosen


def likeness(known: str, name: str) -> float:
    """How much of a known name stands in a file's name, in runs of three letters or more."""
    wanted, given = (
        "".join(c for c in text.lower() if c.isalnum()) for text in (known, Path(name).stem)
    )
    if not any(wanted[i : i + 3] in given for i in range(len(wanted) - 2)):
        return 0.0
    runs = SequenceMatcher(None, wanted, given, autojunk=False).get_matching_blocks()
    said = sum(run.size for run in runs if run.size >= 3)
    return said - 0.1 * (len(wanted) - said) if said else 0.0


def _without_implied(matches: list[Match]) -> list[Match]:
    """Drop a denoiser that asks for less than another which fits: the other is a variant of it."""
    if len(matches) < 2:
        return matches
    asked = [(match, match.signature.demands) for match in matches]
    return [
        match
        for match, own in asked
        if not any(
            other.prefix == match.prefix and other.signature.part.kind == "denoiser" and own < more
            for other, more in asked
        )
    ]


def nearest(shapes: Shapes, book: Book) -> Near | None:
    """The signature of which most tensors are there, in shape before in name only."""
    best: tuple[tuple[float, float], Near] | None = None
    prefixes = {prefix for pairs in book.anchors.values() for prefix, _ in pairs}
    firsts = {key.split(".", 1)[0] + "." for key in shapes if "." in key}
    usable = {p for p in prefixes if not p or p.split(".", 1)[0] + "." in firsts}
    for signature in book.signatures:
        wanted = signature.form.shapes
        for prefix in usable:
            named = [key for key in wanted if prefix + key in shapes]
            if not named:
                continue
            right = sum(agrees(shapes[prefix + key], wanted[key]) for key in named)
            score = ((right + len(named)) / len(wanted), float(len(wanted)))
            if best is None or score > best[0]:
                near = Near(
                    signature.pack.name, signature.pack.title, signature.part.part,
                    signature.form.name, right, len(wanted), _differs(signature, prefix, shapes),
                )  # fmt: skip
                best = score, near
    return None if best is None else best[1]


def _differs(signature: Signature, prefix: str, shapes: Shapes) -> str:
    for key, wanted in signature.form.shapes.items():
        have = shapes.get(prefix + key)
        if have is not None and not agrees(have, wanted):
            asked = ["any" if n is None else n for n in wanted]
            return f"{prefix + key} is {list(have)} and should be {asked}"
    for key in signature.form.shapes:
        if prefix + key not in shapes:
            return f"{prefix + key} is missing"
    there = next(key for key in signature.form.absent if prefix + key in shapes)
    return f"{prefix + there} should not be there"
