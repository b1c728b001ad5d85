"""Calls at the provider and webhooks: the lists, their pages, and the actions that try them again."""
