"""The gallery: what the runs have saved, to look through, keep and delete."""
