"""Node packs: code of others, imported only once a person has trusted exactly what lies there.

A pack is a folder below ``packs`` in Weft's data folder, or a package that an installed
distribution names under the entry-point group ``weft.nodes``. It is known by the hash of every file
in it that Python could import, and each file is held against that when it is imported: what was
changed since, or added, is not run. The types of a pack carry its name, as in ``sparkle.glow``.
"""

from backend.engine.packs.find import find_packs
from backend.engine.packs.importing import import_files
from backend.engine.packs.pack import Pack, PackError, describe
from backend.engine.packs.trust import Trust, load_trusted, read_trust, revoke, trust

__all__ = [
    "Pack",
    "PackError",
    "Trust",
    "describe",
    "find_packs",
    "import_files",
    "load_trusted",
    "read_trust",
    "revoke",
    "trust",
]
