"""How many bytes the body of a request may have."""

from typing import Final

from django.conf import settings

# Only these addresses take a file: evidence about a chargeback, from signed-in staff.
UPLOADS: Final = "/backoffice/do/add-evidence-file/"


def of_upload(path: str) -> int | None:
    """Return the most bytes of a body with a file; None for a path that takes no files."""
    return int(settings.FILE_UPLOAD_MAX_MEMORY_SIZE) if path.startswith(UPLOADS) else None


def largest(path: str) -> int:
    """Return the most bytes of a body that is sent to this path."""
    return of_upload(path) or int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
