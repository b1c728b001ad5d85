"""The back office's fixtures: a marketplace, and the staff with their browsers."""

from tests.integration.backoffice.conftest import browser, finance, office, sandbox, world

__all__ = ["browser", "finance", "office", "sandbox", "world"]
