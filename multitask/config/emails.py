"""Django's email settings, from one URL in the environment."""

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.core import checks

from multitask.config.environment import Environment

TIMEOUT_SECONDS = 20
_BACKENDS = "django.core.mail.backends"


def email_settings(environment: Environment, root: Path) -> dict[str, Any]:
    """Return Django's `EMAIL_*`; without a URL, emails are written to files in development and discarded otherwise."""
    if not environment.email_url:
        if environment.multitask_env == "development":
            return {
                "EMAIL_BACKEND": f"{_BACKENDS}.filebased.EmailBackend",
                "EMAIL_FILE_PATH": environment.data_folder(root) / "emails",
            }
        return {"EMAIL_BACKEND": f"{_BACKENDS}.dummy.EmailBackend"}
    parts = urlsplit(environment.email_url)
    return {
        "EMAIL_BACKEND": f"{_BACKENDS}.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname or "localhost",
        "EMAIL_PORT": parts.port or (465 if parts.scheme == "smtps" else 587),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_USE_TLS": parts.scheme == "smtp",
        "EMAIL_TIMEOUT": TIMEOUT_SECONDS,
    }


def emails_leave(**_about: Any) -> list[checks.CheckMessage]:
    """Warn in `check --deploy` if emails are discarded."""
    if not settings.EMAIL_BACKEND.endswith("dummy.EmailBackend"):
        return []
    return [checks.Warning("No email is sent: EMAIL_URL is empty.", hint="Name a mail server.", id="multitask.W001")]
