"""What the procedural world teaches beside text to picture: one task each, with its truth."""
