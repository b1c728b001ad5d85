"""`DATABASES`: the PostgreSQL server that `DATABASE_URL` names."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from multitask.config.environment import Environment


def databases(environment: Environment, root: Path) -> dict[str, Any]:
    """Return `DATABASES`; without `DATABASE_URL`, the address that the local stack wrote into its data folder."""
    url = environment.database_url or _embedded_url(environment.data_folder(root))
    settings = _from_url(url)
    settings["OPTIONS"]["pool"] = {"min_size": 1, "max_size": environment.database_pool_size, "timeout": 10}
    settings["PREPARE"] = environment.database_prepare
    return {"default": settings}


def _embedded_url(data: Path) -> str:
    """Return the address that `python -m stack postgres start` wrote, or a placeholder, so that checks still work."""
    written = data / "database-url"
    return written.read_text().strip() if written.is_file() else "postgresql://127.0.0.1:5432/multitask"


def _from_url(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ValueError(f"DATABASE_URL must begin with postgresql://, not {parts.scheme!r}")
    query = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "multitask.database",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", unquote(parts.hostname or "")),
        "PORT": str(parts.port or query.pop("port", "")),
        "OPTIONS": dict(query),
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": True,
    }
