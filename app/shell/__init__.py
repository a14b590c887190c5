"""The window: its bars, panes, documents and commands, and what connects them."""
