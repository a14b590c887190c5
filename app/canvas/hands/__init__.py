"""What a held mouse does on the canvas, one file per idea."""
