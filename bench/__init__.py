"""Benchmarks: each prints the machine, its settings, and its figures compared within the same run."""
