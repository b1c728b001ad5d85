"""Liveness and readiness of the process."""

import structlog
from django.db import DatabaseError, InterfaceError, connection
from django.http import HttpRequest, JsonResponse

from multitask.database import schema

log = structlog.get_logger(__name__)


class _Migrations:
    """Remembers that all migrations are applied: once true, it stays true for this process."""

    applied = False


def healthz(request: HttpRequest) -> JsonResponse:
    """Return 200 whenever the process responds."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """Return 200 if the database is reachable with all migrations applied, else 503 with the reason."""
    try:
        missing = _missing()
    except (DatabaseError, InterfaceError) as error:
        log.warning("not_ready", fault=type(error).__name__)
        missing = "database"
    if missing:
        return JsonResponse({"status": "unavailable", "missing": missing}, status=503)
    return JsonResponse({"status": "ok"})


def _missing() -> str | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    if not _Migrations.applied:
        # A newer schema does not make this process unready; see Upgrades in docs/operations.md.
        _Migrations.applied = not schema.difference().missing
    return None if _Migrations.applied else "migrations"
