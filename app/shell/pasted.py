"""What a text on the clipboard is, where it is no workflow of Weft."""

from __future__ import annotations

import json
from collections.abc import Mapping

from app.words import tr

MOST = 100_000
"""Characters that a node of words takes from the clipboard."""


def refusal_of(text: str) -> str:
    """Why a text cannot be pasted, in a sentence; empty for words that can."""
    words = text.strip()
    if not words:
        return tr("Nothing on the clipboard can be pasted here.")
    if is_comfy(words):
        return tr(
            "This is a workflow of ComfyUI. Weft does not read it: its nodes are others. "
            "Build the graph anew, or begin with a template."
        )
    if words[0] == "{" and '"weft"' in words[:MOST]:
        return tr("This workflow is not whole, so nothing was pasted. Copy all of it again.")
    if words.lower().startswith(("http://", "https://")) and len(words.split()) == 1:
        return tr("Weft fetches nothing by itself. Save the file, then drop it here.")
    if len(words) > MOST:
        return tr("These are more than {n} characters. Paste less at once.", n=MOST)
    return ""


def is_comfy(text: str) -> bool:
    """Whether a text is a graph as ComfyUI saves or exports it."""
    if not text.startswith("{") or ('"class_type"' not in text and '"nodes"' not in text):
        return False
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return False
    if not isinstance(read, Mapping) or "weft" in read:
        return False
    saved = isinstance(read.get("nodes"), list) and "links" in read
    return saved or any(isinstance(v, Mapping) and "class_type" in v for v in read.values())
