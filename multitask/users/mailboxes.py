"""Which account owns an email address, and how many emails may be sent there.

Several accounts may name one address, but only one of them has confirmed it, by a link that was sent there. Addresses
are given in their normal form (`names.email`).
"""

from datetime import datetime, timedelta
from typing import Final

from multitask.users import throttle
from multitask.users.models import User

# Emails that any visitor can have sent to any address. A visitor over the limit is refused;
# however many emails others have sent, each visitor still has one.
_ACCOUNT_EMAILS: Final = throttle.Limits(
    same_account_same_address=3, same_address=None, same_account=6, when_under_attack=1
)
# Links to reset a password: one that arrived earlier in the window still works, so more of them are of no use.
_RESETS: Final = throttle.Limits(same_account_same_address=6, same_address=None, same_account=None)
# News to an unconfirmed address, which may be a stranger's mailbox.
_UNCONFIRMED_NEWS: Final = throttle.Limits(
    same_account_same_address=20, same_address=None, same_account=None, window=timedelta(days=1)
)


def owner(address: str) -> User | None:
    """Return who has confirmed an address. A closed account owns none: another account may confirm its address."""
    return User.objects.filter(email=address, email_confirmed_at__isnull=False, is_active=True).first()


def newest_claimant(address: str) -> User | None:
    """Return the newest open account that has named an address without confirming it."""
    return User.objects.filter(email=address, email_confirmed_at=None, is_active=True).order_by("-pk").first()


def is_anothers(user: User) -> bool:
    """Return whether another account has confirmed this account's address."""
    return not user.email_confirmed and owner(user.email) is not None


def release_from_closed(address: str) -> None:
    """Take an address from a closed account, in the transaction in which another one confirms it."""
    closed = User.objects.filter(email=address, email_confirmed_at__isnull=False, is_active=False)
    closed.update(email_confirmed_at=None)


def count_email(*, address: str, ip: str | None, now: datetime) -> None:
    """Count an account email that a visitor requests to any address. Raises TooManyAttempts."""
    throttle.begin(identifier=address, ip=ip, now=now, limits=_ACCOUNT_EMAILS, purpose="mailbox")


def may_send_email(*, address: str, ip: str | None, now: datetime) -> bool:
    """Count an account email as `count_email` does, and return whether it may be sent."""
    try:
        count_email(address=address, ip=ip, now=now)
    except throttle.TooManyAttempts:
        return False
    return True


def may_send_reset(*, address: str, now: datetime) -> bool:
    """Count a link to reset a password, whoever asks for it, and return whether it may be sent.

    False means that a link was sent in the last fifteen minutes, which still works.
    """
    try:
        throttle.begin(identifier=address, ip=None, now=now, limits=_RESETS, purpose="reset letter")
    except throttle.TooManyAttempts:
        return False
    return True


def may_send_news(*, address: str, now: datetime) -> bool:
    """Count an email with news to an unconfirmed address; return whether it may be sent."""
    try:
        throttle.begin(identifier=address, ip=None, now=now, limits=_UNCONFIRMED_NEWS, purpose="news")
    except throttle.TooManyAttempts:
        return False
    return True
