"""Notifications on the pages and by email."""
