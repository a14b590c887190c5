"""Training adapters: small networks beside the frozen ones of a native family."""
