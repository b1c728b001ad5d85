"""The sessions of pages in the database, looked up only under keys that Django can have made."""

import re
from typing import Final

from django.contrib.sessions.backends import db

# As `SessionBase._get_new_session_key` makes them.
_KEY: Final = re.compile(r"[a-z0-9]{32}")


class SessionStore(db.SessionStore):
    """Django's sessions in the database; a cookie with any other text than a key is no session.

    Django accepts any text of eight characters, also with a NUL byte, for which PostgreSQL raises an error.
    """

    def _validate_session_key(self, key: str | None) -> bool:
        """Return whether Django can have made this key."""
        return key is not None and _KEY.fullmatch(key) is not None
