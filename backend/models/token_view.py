"""What a text encoder reads of a prompt, in words."""

from __future__ import annotations

from backend.graph.prompts import Chunk, Prompt
from backend.models.encode import Coder, pieces_of
from backend.models.tokens import TokenRow


def token_view(asked: Coder, prompt: Prompt) -> str:
    """Every token of a prompt: by the time of the run, the chunk and the tokenizer.

    Raises:
        DiffusionError: there are too many chunks.
        PromptError: there are too many phases.
        CatalogError: the model's files cannot be used.
    """
    lines: list[str] = []
    phases = prompt.phases()
    for begin, chunks in phases:
        if len(phases) > 1:
            lines.append(f"From {begin:g} of the steps:")
        pieces = pieces_of(asked, chunks)
        for number, piece in enumerate(pieces, 1):
            if len(pieces) > 1:
                lines.append(f"Chunk {number} of {len(pieces)}:")
            for row in asked.rows(piece.text):
                lines += _row(row, piece)
    return "\n".join(lines)


def _row(row: TokenRow, piece: Chunk) -> list[str]:
    """How many tokens there are, those that are read, and what is cut off."""
    read = sum(not token.cut for token in row.tokens)
    of = "" if row.tensors else ", for the pooled vector"
    lines = [f"{row.name}{of}: {read} of {row.length} tokens", f"  {_tokens(row, piece)}".rstrip()]
    lost = [token.start for token in row.cut if token.start is not None]
    if lost:
        lines.append(f"  cut off: {piece.text[min(lost) :]}")
    elif row.cut:
        lines.append(f"  cut off: {len(row.cut)} tokens")
    return lines


def _tokens(row: TokenRow, piece: Chunk) -> str:
    """Those that are read, between bars; tokens that share a character are one."""
    shown: list[str] = []
    last: tuple[int | None, int | None] = (None, None)
    for token in row.tokens:
        if token.cut or token.start is None or (token.start, token.end) == last:
            continue
        last = token.start, token.end
        weights = [s.weight for s in piece.spans if s.start < (token.end or 0) and last[0] < s.end]
        shown.append(token.piece + (f" x{weights[0]:g}" if weights and row.tensors else ""))
    return " | ".join(shown)
