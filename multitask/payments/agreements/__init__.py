"""Agreements, and the steps of the work on their milestones."""
