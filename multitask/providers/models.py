"""Calls to providers that are limited for all processes together."""

from typing import ClassVar

from django.db import models


class CallSlot(models.Model):
    """One of the calls of a kind that a provider answers within its period; `used_at` is when it was last made."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=40)
    number = models.SmallIntegerField()
    used_at = models.DateTimeField()

    class Meta:
        """One row per slot."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["name", "number"], name="providers_callslot_once"),
        ]

    def __str__(self) -> str:
        """Return the kind and the number."""
        return f"{self.name} {self.number}"
