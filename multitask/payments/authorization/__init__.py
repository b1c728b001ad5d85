"""Who may do what: scoped queries, locks, approvals by a second person, limits per user."""
