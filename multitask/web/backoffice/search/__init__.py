"""Search by any id: ours, the provider's, a name or a key."""
