"""Model families, one file each, and the store of what is loaded.

Every module imports without torch; heavy imports stand inside the functions.
"""
