"""The settings window: typed rows with where each value is from, and the keys of all commands."""
