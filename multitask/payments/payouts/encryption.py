"""Encryption of payout destinations, identities, and the tokens of saved cards.

Fernet (AES-128-CBC with HMAC-SHA256) under the keys of the setting `DESTINATION_KEYS`: the first encrypts, all decrypt.
The id of the row is encrypted with its values, so that a value that was copied into another row is refused. Who can
read the database but not the settings learns nothing but the length.
"""

import json
import uuid
from collections.abc import Mapping

import structlog
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

log = structlog.get_logger(__name__)


class Undecryptable(RuntimeError):
    """No key fits, or the value belongs to another row. Not a refusal: staff has to look at the keys."""


def encrypt(row: uuid.UUID, values: Mapping[str, str]) -> str:
    """Return the values of a row, encrypted under the newest key, as ASCII."""
    plain = json.dumps({"row": str(row), "values": dict(values)}, ensure_ascii=False)
    return _newest().encrypt(plain.encode()).decode()


def decrypt(row: uuid.UUID, encrypted: str) -> dict[str, str]:
    """Return the values of a row. Raises Undecryptable."""
    try:
        found = json.loads(_all().decrypt(encrypted.encode()))
    except InvalidToken:
        raise Undecryptable("None of DESTINATION_KEYS decrypts this.") from None
    if found["row"] != str(row):
        raise Undecryptable("This was encrypted for another row.")
    values: dict[str, str] = found["values"]
    return values


def decrypted_or_none(row: uuid.UUID, encrypted: str) -> dict[str, str] | None:
    """Return the values of a row, None if no key fits, which is logged."""
    try:
        return decrypt(row, encrypted)
    except Undecryptable as error:
        log.error("value_undecryptable", row=str(row), reason=str(error))
        return None


def is_under_newest_key(encrypted: str) -> bool:
    """Return whether the newest key decrypts a value."""
    try:
        _newest().decrypt(encrypted.encode())
    except InvalidToken:
        return False
    return True


def reencrypt(encrypted: str) -> str:
    """Return a value encrypted under the newest key. Raises Undecryptable."""
    try:
        return _all().rotate(encrypted.encode()).decode()
    except InvalidToken:
        raise Undecryptable("None of DESTINATION_KEYS decrypts this.") from None


def _newest() -> Fernet:
    return Fernet(settings.DESTINATION_KEYS[0])


def _all() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.DESTINATION_KEYS])
