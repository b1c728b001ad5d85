"""An authentication backend by which Django's login forms accept a username or an email address."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.utils import timezone

from multitask.users import accounts, second_factor, throttle
from multitask.users.actor import Actor
from multitask.users.models import User


class UsernameOrEmailBackend(ModelBackend):
    """The same rules as the API's login: both names, the same throttle, active users only.

    Users with a second factor are refused, since the form does not ask for a code; they sign in
    on our own page. The request provides the client's address.
    """

    def authenticate(
        self,
        request: Any,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """Return the user, or None when the login is refused for any reason."""
        if username is None or password is None:
            return None
        actor = Actor.visitor(ip=getattr(request, "client_ip", None))
        try:
            user = accounts.authenticate(actor=actor, now=timezone.now(), identifier=username, password=password)
        except (accounts.InvalidCredentials, throttle.TooManyAttempts):
            return None
        return None if second_factor.is_on(user.pk) else user
