"""A database backend with interruption points at every commit."""
