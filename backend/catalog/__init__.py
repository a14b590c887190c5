"""Model files: reading their headers, saying what they are, and their identity. Never weights."""
