"""Large pictures through a VAE a square at a time."""
