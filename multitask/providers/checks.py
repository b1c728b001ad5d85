"""Django's system check of the routes."""

from typing import Any

from django.core.checks import CheckMessage, Error

from multitask.payments.operations import routes


def check_routes(**_: Any) -> list[CheckMessage]:
    """Return an error for each route that cannot work."""
    return [Error(problem, id="providers.E001") for problem in routes.problems()]
