"""Solvers, schedules, guidance and noise: algorithms that know no model family.

Every module imports without torch (it is imported inside the functions that need it), so that the
kinds of solver, schedule and guidance can be listed by a light process.
"""
