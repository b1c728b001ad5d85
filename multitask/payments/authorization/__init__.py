"""Who may do what: scoping, locks, second persons, limits per user."""
