"""The viewer: any value of a run, looked at closely."""
