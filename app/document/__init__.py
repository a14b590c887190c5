"""An open document: one path for every change, undo without end, and nothing lost in a crash.

No file here knows Qt, so a document can be edited and tested without a window.
"""
