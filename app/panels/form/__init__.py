"""App mode: the parameters that a document shows, as a form."""
