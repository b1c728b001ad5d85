"""How passwords are hashed."""

import threading
from typing import Final

from django.contrib.auth.hashers import Argon2PasswordHasher

# Hashing keeps a core busy and holds its memory all the while, so a rush of logins waits in line.
AT_ONCE: Final = 2
_line = threading.BoundedSemaphore(AT_ONCE)


class FrugalArgon2Hasher(Argon2PasswordHasher):
    """Argon2id with 19 MiB and two passes, which OWASP's password storage advice takes for enough.

    Django's own choice is 100 MiB for each login at a time: a few logins at once would hold more
    memory than the whole web process. Hashes made with other settings still verify, and are made
    anew at the next login.
    """

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        """Hash a password."""
        with _line:
            return str(super().encode(password, salt))

    def verify(self, password: str, encoded: str) -> bool:
        """Say whether the password is the one that was hashed."""
        with _line:
            return bool(super().verify(password, encoded))
