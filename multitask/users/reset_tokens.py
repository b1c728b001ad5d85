"""The tokens in links that reset a password."""

from typing import Final

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.tokens import PasswordResetTokenGenerator

from multitask.users.models import User


class _ResetTokens(PasswordResetTokenGenerator):
    """Django's tokens, without their dependence on the last login.

    Signing in leaves a link alone: within a quarter of an hour no further one may be sent to the mailbox. A new
    password, another address and the end of all sessions make it invalid.
    """

    key_salt = "multitask.users.reset"

    def _make_hash_value(self, user: AbstractBaseUser, timestamp: int) -> str:
        if not isinstance(user, User):
            raise TypeError("tokens are made for our own users")
        return f"{user.pk}:{user.password}:{user.session_epoch}:{timestamp}:{user.email}"


reset_tokens: Final = _ResetTokens()
