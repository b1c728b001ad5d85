"""The machinery of an offline provider: everything that does not depend on which provider it is."""
