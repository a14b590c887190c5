"""Where methods reach into a network: attention at its sites, and what looks on."""
