"""The ``weft`` command: one file per command, each importing what it needs only when it runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the ``weft`` command and end the process with its exit status.

    The status is 0 when done, 1 when a node failed or Weft itself did, 2 for wrong usage, 3 when
    the workflow has errors and 130 when the run was cancelled.
    """
    from backend.cli.errors import CANCELLED
    from backend.cli.signals import leave_at

    leave_at(CANCELLED)
    from backend.cli.guard import guarded

    status = guarded(sys.argv[1:] if arguments is None else arguments)
    leave_at(status)
    sys.exit(status)
