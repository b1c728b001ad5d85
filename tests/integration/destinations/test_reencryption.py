"""Keys are rotated: the first encrypts, all decrypt, and a command encrypts everything under the newest."""

import io
import uuid

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from multitask.payments.models import PayeeIdentity, PayoutDestination
from multitask.payments.payouts import destination_details, encryption, reencryption
from tests.integration.destinations import payees

pytestmark = pytest.mark.django_db

OLD, NEW, OTHER = (Fernet.generate_key().decode() for _ in range(3))


def stored() -> list[str]:
    """Every encrypted value."""
    return [row.encrypted for table in (PayoutDestination, PayeeIdentity) for row in table.objects.order_by("pk")]


def test_after_the_command_the_older_key_is_not_needed(settings: Settings) -> None:
    settings.DESTINATION_KEYS = [OLD]
    mona = payees.payee()
    destination = payees.add(mona)
    payees.add(mona, payees.WALLET, kind="wallet")
    payees.confirm(payees.support(), payees.submit(mona))
    settings.DESTINATION_KEYS = [NEW, OLD]
    assert destination_details.details(destination.pk).national_id == payees.NATIONAL_ID
    later = payees.payee("later")
    payees.add(later)
    before = stored()

    out = io.StringIO()
    call_command("reencrypt_destinations", stdout=out)
    assert out.getvalue().startswith("3 encrypted anew")
    assert sum(one != other for one, other in zip(before, stored(), strict=True)) == 3
    assert reencryption.reencrypt_all(now=timezone.now()) == reencryption.Result()

    settings.DESTINATION_KEYS = [NEW]
    assert destination_details.details(destination.pk).destination.number == payees.IBAN


def test_without_the_key_nothing_is_decrypted_and_nothing_is_lost(settings: Settings) -> None:
    mona = payees.payee()
    destination = payees.add(mona)
    payees.confirm(payees.support(), payees.submit(mona))
    before = stored()
    settings.DESTINATION_KEYS = [OTHER]
    with pytest.raises(encryption.Undecryptable):
        destination_details.details(destination.pk)
    out = io.StringIO()
    with pytest.raises(CommandError, match="2 of the unreadable values are still in use"):
        call_command("reencrypt_destinations", stdout=out)
    assert out.getvalue().splitlines()[1].startswith("2 unreadable")
    assert stored() == before


def test_a_value_that_nobody_needs_any_more_does_not_stop_the_rotation(settings: Settings) -> None:
    settings.DESTINATION_KEYS = [OTHER]
    now = timezone.now()
    mona = payees.payee()
    payees.add(mona, at=now)
    payees.submit(mona, at=now)
    settings.DESTINATION_KEYS = [OLD]
    destination = payees.add(mona, at=now)
    payees.confirm(payees.support(), payees.submit(mona, at=now))
    settings.DESTINATION_KEYS = [NEW, OLD]

    out = io.StringIO()
    call_command("reencrypt_destinations", stdout=out)

    encrypted, unreadable = out.getvalue().splitlines()
    assert encrypted.startswith("2 encrypted anew")
    assert unreadable.startswith("2 unreadable")
    settings.DESTINATION_KEYS = [NEW]
    assert destination_details.details(destination.pk).national_id == payees.NATIONAL_ID


def test_after_a_key_was_lost_payees_enter_their_details_again(settings: Settings) -> None:
    mona = payees.payee()
    lost, unreadable = payees.add(mona), payees.submit(mona)
    settings.DESTINATION_KEYS = [OTHER]
    destination, identity = payees.add(mona), payees.submit(mona)
    assert destination.pk != lost.pk
    assert identity.pk != unreadable.pk
    payees.confirm(payees.support(), identity)
    assert destination_details.details(destination.pk).destination.number == payees.IBAN


def test_a_value_that_was_copied_into_another_row_is_refused() -> None:
    mona, eve = payees.payee(), payees.payee("eve")
    victim, strangers = payees.add(mona), payees.add(eve, payees.WALLET, kind="wallet")
    payees.confirm(payees.support(), payees.submit(mona))
    PayoutDestination.objects.filter(pk=victim.pk).update(encrypted=strangers.encrypted)
    with pytest.raises(encryption.Undecryptable, match="another row"):
        destination_details.details(victim.pk)


def test_the_same_values_are_encrypted_differently_each_time() -> None:
    row = uuid.uuid4()
    assert encryption.encrypt(row, {"number": "1"}) != encryption.encrypt(row, {"number": "1"})


def test_a_value_that_was_changed_is_refused() -> None:
    row = uuid.uuid4()
    encrypted = encryption.encrypt(row, {"number": "1"})
    place = len(encrypted) // 2
    changed = encrypted[:place] + ("A" if encrypted[place] != "A" else "B") + encrypted[place + 1 :]
    with pytest.raises(encryption.Undecryptable):
        encryption.decrypt(row, changed)
