"""The overview: the work queue and statistics."""
