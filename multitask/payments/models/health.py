"""The result of the last check of the books."""

from django.db import models


class BooksCheck(models.Model):
    """When the books were last checked, and how many violations were found; a single row.

    `proven_at` is when a full proof last found the ledger's own invariants to hold.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    checked_at = models.DateTimeField()
    violations = models.IntegerField()
    proven_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        """Return the moment and the number."""
        return f"{self.checked_at}: {self.violations}"
