"""A password hasher that notes what it computes, for tests that compare how much work a request makes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from multitask.users.passwords import FrugalArgon2Hasher

HASHERS = [f"{__name__}.CountingHasher", "django.contrib.auth.hashers.PBKDF2PasswordHasher"]


class CountingHasher(FrugalArgon2Hasher):
    """Computes as the application's own hasher does, and notes the length of each input."""

    lengths: ClassVar[list[int]] = []

    def encode(self, password: str, salt: str) -> str:
        self.lengths.append(len(password))
        return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        self.lengths.append(len(password))
        return super().verify(password, encoded)


@contextmanager
def counted() -> Iterator[list[int]]:
    """Yield a list that holds the lengths of all inputs that were hashed, once the block has ended."""
    found: list[int] = []
    start = len(CountingHasher.lengths)
    yield found
    found += CountingHasher.lengths[start:]
