"""The bounds within which the server works."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Sizes in bytes, times in seconds; `docs/operations.md` says what each is for."""

    threads: int
    wait_seconds: float
    largest_body: int
    body_seconds: float
    bodies_bytes: int
    files_bytes: int
    send_seconds: float
    requests_per_minute: int
    session_cookie: str
