"""Benchmarks: each prints its machine, its settings, its figures, and how they compare within the same run."""
