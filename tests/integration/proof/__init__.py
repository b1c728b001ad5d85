"""Statements of what is owed and held, and each person's own proof."""
