"""The queue and the history: jobs in one SQLite file that several processes share. Light."""
