"""Tasks: the lists, one task, and the steps of the work."""
