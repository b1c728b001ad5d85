"""Lets Django's own login forms take a username or an email address."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.utils import timezone

from multitask.users import accounts, throttle
from multitask.users.actor import Actor
from multitask.users.models import User


class UsernameOrEmailBackend(ModelBackend):
    """The same rules as the API's login: both names, the same throttle, active users alone.

    The request, typed loosely as views' types belong to other rooms, says the address.
    """

    def authenticate(
        self,
        request: Any,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """Return the user, or None for any reason not to let somebody in."""
        if username is None or password is None:
            return None
        actor = Actor.visitor(ip=getattr(request, "client_ip", None))
        try:
            return accounts.authenticate(actor=actor, now=timezone.now(), identifier=username, password=password)
        except (accounts.InvalidCredentials, throttle.TooManyAttempts):
            return None
