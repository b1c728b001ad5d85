"""Password hashing, and comparison whose timing does not reveal whether an account exists."""

import threading
from typing import Final

from django.contrib.auth import hashers
from django.contrib.auth.hashers import Argon2PasswordHasher

LONGEST: Final = 256
# Hashing occupies a core and its memory, so the number of concurrent hashes is bounded.
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
        """Return whether the password is the one that was hashed."""
        with _line:
            return bool(super().verify(password, encoded))


def matches(password: str, encoded: str | None) -> bool:
    """Return whether this is the password of a hash; `encoded` is None where there is no account.

    Each call makes one computation over the same input, whatever is found: no account, a password that cannot be
    used, one that is too long.
    """
    tried = password[:LONGEST]
    if encoded is None or not _can_be_verified(encoded):
        hashers.make_password(tried)
        return False
    is_right, _is_outdated = hashers.verify_password(tried, encoded)
    return is_right and len(password) <= LONGEST


def is_outdated(encoded: str) -> bool:
    """Return whether a hash was made by another hasher, or with other settings, than new ones are."""
    preferred = hashers.get_hasher()
    return hashers.identify_hasher(encoded).algorithm != preferred.algorithm or preferred.must_update(encoded)


def _can_be_verified(encoded: str) -> bool:
    """Django would hash a random text of another length for those that cannot."""
    if not hashers.is_password_usable(encoded):
        return False
    try:
        hashers.identify_hasher(encoded)
    except ValueError:
        return False
    return True
