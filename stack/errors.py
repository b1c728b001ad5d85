"""What the stack says when it cannot go on: one line that a person can act upon."""


class StackError(Exception):
    """The stack cannot start or go on; the message says why and what to do."""
