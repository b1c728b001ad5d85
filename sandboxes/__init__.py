"""Offline payment providers for development and tests."""
