"""Second factors of people in tests, with the codes that their phones would show."""

from datetime import datetime, timedelta

from django.utils import timezone
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from multitask.users import second_factor
from multitask.users.actor import Actor
from multitask.users.models import User

PASSWORD = "correct-horse-battery"


def phone_shows(user_id: int, at: datetime | None = None) -> str:
    """The code at a moment."""
    device = TOTPDevice.objects.get(user_id=user_id)
    clock = TOTP(device.bin_key)
    clock.time = (at or timezone.now()).timestamp()
    return f"{clock.token():06d}"


def fresh_code(user_id: int) -> str:
    """A code that works now, as if half a minute had gone by since the last one."""
    TOTPDevice.objects.filter(user_id=user_id).update(last_t=-1)
    return phone_shows(user_id)


def switch_on(user: User) -> list[str]:
    """Set up a second factor an hour ago; answers the recovery codes."""
    actor, before = Actor.of(user), timezone.now() - timedelta(hours=1)
    second_factor.begin(actor=actor, now=before, password=PASSWORD)
    return second_factor.confirm(actor=actor, now=before, code=phone_shows(user.pk, before))
