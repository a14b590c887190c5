"""Arithmetic on pictures and masks: pure functions on numpy arrays, no files and no graph.

Arrays are float32, batch first, channels last; nothing here writes to what it is given, and what
it gives back is read-only. Colours outside 0..1 pass through unless a function says otherwise.
"""
