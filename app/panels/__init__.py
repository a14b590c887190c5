"""The panels around the canvas: what goes on, what went on, what is wrong, what is there."""
