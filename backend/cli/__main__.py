"""``python -m backend.cli`` is the ``weft`` command."""

from backend.cli import main

main()
