"""The back office finds what Paymob's numbers, and our names for payouts at Paymob, stand for."""

from urllib.parse import quote

import pytest
from django.test import Client

from multitask.payments.models import Operation, Payment
from multitask.payments.payouts import disbursements
from multitask.users.models import User
from multitask.webhooks.models import IncomingEvent
from tests.egypt_world import EgyptWorld, disbursement_of, pounds
from tests.integration.backoffice import addresses
from tests.integration.backoffice.test_search import goes_to
from tests.integration.egypt.test_saved_cards import saved
from tests.payments_world import user_id


def listed(office: Client, wanted: object) -> str:
    """The page of a search that finds several things, or nothing."""
    answer = office.get(f"/backoffice/find/?q={quote(str(wanted))}")
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_payment_and_its_refund(world: EgyptWorld, office: Client) -> None:
    job = world.funded()
    world.refund(job, amount=pounds("100.00"))
    world.work()
    escrow, payment, refund = job.escrow, job.payment, job.refund
    here = f"{addresses.change(escrow)}#payment-{payment.pk}"

    assert goes_to(office, payment.provider_payment_id) == here
    assert goes_to(office, payment.provider_collection_id) == here
    assert goes_to(office, refund.provider_refund_id) == f"{addresses.change(escrow)}#refund-{refund.pk}"
    creation = Operation.objects.get(kind="create_payment", subject_id=payment.pk)
    assert goes_to(office, creation.key) == addresses.change(creation), "the reference that Paymob has"


def test_a_payment_by_the_id_of_its_intention(world: EgyptWorld, office: Client) -> None:
    job = world.funded()
    [intention] = world.paymob.objects("intention")
    assert goes_to(office, intention["object"]["id"]) == f"{addresses.change(job.escrow)}#payment-{job.payment.pk}"


def test_a_saved_card_by_its_number(world: EgyptWorld, client: Client, office: Client) -> None:
    payer = world.client()
    method = saved(world, client, payer)
    assert addresses.change(User.objects.get(pk=user_id(payer))) in goes_to(office, method.provider_method_id)
    event = IncomingEvent.objects.get()
    assert goes_to(office, event.event_id) == addresses.change(event)


def test_a_payout_by_its_id_and_by_our_names_of_all_its_attempts(world: EgyptWorld, office: Client) -> None:
    payee = world.payee()
    world.earned(payee)
    world.fill_budget(pounds("2000.00"))
    payout = disbursement_of(world.withdrawn(payee, pounds("850.00")))

    names = [disbursements.reference(payout, generation) for generation in (1, 2, 3, 700)]
    assert len(set(names)) == 4
    for wanted in (payout.provider_payout_id, *names, names[0].upper()):
        assert goes_to(office, wanted) == addresses.change(payout)


def test_a_number_of_paymob_that_is_also_one_of_ours_opens_nothing(world: EgyptWorld, office: Client) -> None:
    job, other = world.funded(), world.funded()
    number = other.escrow.pk
    Payment.objects.filter(pk=job.payment.pk).update(provider_payment_id=str(number))

    page = listed(office, number)
    assert f"{addresses.change(job.escrow)}#payment-{job.payment.pk}" in page
    assert f'href="{addresses.change(other.escrow)}"' in page
    assert f"{addresses.change(job.escrow)}#payment-{job.payment.pk}" not in listed(office, f"#{number}")


@pytest.mark.parametrize("wanted", ["987654321", "987654321/1", "pi_test_nothing", "transaction:1:ab"])
def test_what_is_not_known_is_said(world: EgyptWorld, office: Client, wanted: str) -> None:
    assert "No match" in listed(office, wanted)
