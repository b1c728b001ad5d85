"""The settings of the web server."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Sizes are in bytes, times in seconds; `docs/operations.md` explains each."""

    threads: int
    wait_seconds: float
    largest_body: int
    body_seconds: float
    bodies_bytes: int
    files_bytes: int
    send_seconds: float
    requests_per_minute: int
    session_cookie: str
