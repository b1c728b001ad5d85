"""How many bytes the body of a request may have."""

from typing import Final

from django.conf import settings

# Only these addresses take a file, from signed-in staff: evidence about a chargeback, and documents about a budget.
UPLOADS: Final = (
    "/backoffice/do/add-evidence-file/",
    "/backoffice/do/record-settlement/",
    "/backoffice/do/record-top-up/",
    "/backoffice/do/record-costs/",
    "/backoffice/do/record-credit/",
)


def of_upload(path: str) -> int | None:
    """Return the most bytes of a body with a file; None for a path that takes no files."""
    return int(settings.FILE_UPLOAD_MAX_MEMORY_SIZE) if path.startswith(UPLOADS) else None


def largest(path: str) -> int:
    """Return the most bytes of a body that is sent to this path."""
    return of_upload(path) or int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
