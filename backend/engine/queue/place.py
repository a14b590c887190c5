"""Where the queue lies."""

FILE = "queue.sqlite"
"""Its file in the data folder."""
