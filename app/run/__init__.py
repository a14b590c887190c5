"""Runs as the studio sees them: jobs of the queue, the state of every node, values to look at."""
