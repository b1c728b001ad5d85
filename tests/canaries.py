"""Values that must be nowhere in clear, and where to look for them: a dump of the whole database."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping

from django.contrib.sessions.models import Session
from django.db import connection


def spellings(canary: str) -> Iterator[str]:
    """A value as it might be found: as it is, in hexadecimal, in base64 at each offset, and as a bare hash."""
    raw = canary.encode()
    yield canary
    yield raw.hex()
    yield json.dumps(canary)[1:-1]
    for offset in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encoded = encode(b"\0" * offset + raw).decode().rstrip("=")
            yield encoded[-(-offset * 8 // 6) : -1]
    for algorithm in ("md5", "sha1", "sha256", "sha512"):
        yield hashlib.new(algorithm, raw).hexdigest()


def found_in(text: str, canaries: Mapping[str, str]) -> set[str]:
    """The names of the canaries that a text gives away."""
    lowered = text.lower()
    return {name for name, canary in canaries.items() if any(one.lower() in lowered for one in spellings(canary))}


def dump() -> str:
    """Everything that the database holds, as text, and what the sessions hold once they are unpacked."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        tables = [name for (name,) in cursor.fetchall()]
        rows = []
        for table in tables:
            cursor.execute(f"SELECT coalesce(string_agg(t::text, E'\\n'), '') FROM \"{table}\" t")
            rows.append(cursor.fetchone()[0])
    sessions = [repr(session.get_decoded()) for session in Session.objects.all()]
    return "\n".join([*rows, *sessions])
