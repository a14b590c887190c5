"""The studio. It talks to host processes and never imports torch or ``nodes``."""
