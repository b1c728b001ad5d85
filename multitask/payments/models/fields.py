"""Fields and constraints that several tables share."""

from enum import StrEnum
from typing import Any

from django.db import models


def state_field(states: type[StrEnum], first: StrEnum) -> "models.CharField[Any, Any]":
    """Return a field that stores the value of a state."""
    return models.CharField(max_length=20, default=first.value, choices=[(s.value, s.value) for s in states])


def states_check(name: str, states: type[StrEnum], field: str = "state") -> models.CheckConstraint:
    """Return a constraint that only accepts values of `states`."""
    return models.CheckConstraint(condition=models.Q(**{f"{field}__in": [s.value for s in states]}), name=name)


def currency_check(name: str) -> models.CheckConstraint:
    """Return a constraint that only accepts three capital letters as the currency."""
    return models.CheckConstraint(condition=models.Q(currency__regex=r"^[A-Z]{3}$"), name=name)
