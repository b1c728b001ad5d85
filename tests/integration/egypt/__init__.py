"""The platform route: paid by redirect, paid out from a budget."""
