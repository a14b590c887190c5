"""Changes of a document, one file per idea: pure functions from a document to a new one.

Each takes the document, the level that is shown and what to change, and gives the new document,
which shares every node it did not touch. What cannot be done raises ``EditError`` with a sentence.
Paths that must be there (selected nodes, a level) raise ``KeyError`` where they are not.
"""
