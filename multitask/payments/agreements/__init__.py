"""The steps of the work on an agreement, and what they do to its money."""
