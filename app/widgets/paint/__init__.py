"""Editors on the picture itself: masks that are painted, and boxes with captions."""
