"""``weft schema``: the JSON Schema of workflow files."""

from __future__ import annotations

import json

from backend.cli.streams import put


def show_schema() -> None:
    """Print the schema."""
    from backend.graph.schema import schema

    put(json.dumps(schema(), indent=2))
