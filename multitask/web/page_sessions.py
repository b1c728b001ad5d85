"""Sessions of the pages: begin, renew after a password change, end; each under the lock of the user's row.

Django gives a session a new key when its user's password changes, and ends a session by deleting its row. Without the
lock a sign-out could delete the old key while the new one is created, and the session would stay open.
"""

from datetime import timedelta
from typing import Any, Final

from django.contrib.auth import login, logout, update_session_auth_hash
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django.utils import timezone

from multitask.database import run, transactional
from multitask.users import accounts, logins
from multitask.users.models import User
from multitask.web import step_up

BACKEND: Final = "multitask.users.backends.UsernameOrEmailBackend"
# The row of an old key points to the new one for as long as a request that carries the old key may take.
_CONTINUED: Final = "continued_as"
_FORWARDED: Final = timedelta(minutes=10)


def begin(request: HttpRequest, proof: logins.Proof) -> None:
    """Begin a session. Raises InvalidCredentials if the password or the second factor has changed since `proof`."""
    # One attempt: the session in memory cannot be rolled back.
    run(lambda: _begin(request, proof), attempts=1)


def renew(request: HttpRequest, user: User) -> bool:
    """Give the session a new key after a password change; return False if the session has ended meanwhile."""
    return run(lambda: _renew(request, user), attempts=1)


def end(request: HttpRequest) -> None:
    """End the session of this request, even if it has a new key by now."""
    _delete(request.user.pk, request.session.session_key)
    logout(request)


def _begin(request: HttpRequest, proof: logins.Proof) -> None:
    user = logins.require_valid(proof)
    login(request, user, backend=BACKEND)
    if proof.proved_at is not None:
        step_up.record(request, user, proof.proved_at)
    request.session.save()


def _renew(request: HttpRequest, user: User) -> bool:
    present = accounts.locked(user.pk)
    before = request.session.session_key
    is_present = present.get_session_auth_hash() == user.get_session_auth_hash()
    if before is None or not is_present or not request.session.exists(before):
        request.session.flush()
        return False
    update_session_auth_hash(request, present)
    request.session.save()
    _forward(before, request.session)
    return True


def _forward(before: str, session: Any) -> None:
    data = session.encode({_CONTINUED: session.session_key})
    Session.objects.create(session_key=before, session_data=data, expire_date=timezone.now() + _FORWARDED)


@transactional
def _delete(user_id: int | None, key: str | None) -> None:
    if user_id is not None:
        accounts.locked(user_id)
    while key is not None:
        row = Session.objects.filter(session_key=key).first()
        Session.objects.filter(session_key=key).delete()
        key = None if row is None else row.get_decoded().get(_CONTINUED)
