"""Many jobs from one workflow: tables, sweeps, names, the manifest, contact sheets. Light."""
