"""The money of one task: where it is, what happened, what is next, and what each side can do."""
