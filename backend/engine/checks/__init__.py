"""Checks of open documents in a light process of its own: it imports nodes, and never torch.

A node file is code of others: it may loop or crash, and then it is this process that is ended and
begun again, not the window. ``client`` is the window's side, ``serve`` the process.
"""
