"""The people: accounts, roles, sessions, and the actor that every command is given."""
