"""Search by any id: ours or the provider's."""

from urllib.parse import quote

import pytest
from django.test import Client

from multitask.ledger.models import Account, Transaction
from multitask.payments.funding import saved_methods
from multitask.payments.models import Chargeback, Customer, HistoryRow, Operation
from multitask.users.models import User
from tests.integration.backoffice import addresses, scenes
from tests.payments_world import CONTESTED, World, user_id


def goes_to(office: Client, wanted: object) -> str:
    """Where a search leads that finds one thing."""
    answer = office.get(f"/backoffice/find/?q={quote(str(wanted))}")
    assert answer.status_code == 302, (wanted, answer.content.decode()[-600:])
    return str(answer["Location"])


def test_an_escrow_and_all_that_belongs_to_it(world: World, office: Client) -> None:
    job = scenes.failed_refund(world)
    escrow, payment, refund = job.escrow, job.payment, job.refund
    page = addresses.change(escrow)
    assert goes_to(office, escrow.public_id) == page
    assert goes_to(office, str(escrow.public_id).upper()) == page
    assert goes_to(office, refund.public_id) == f"{page}#refund-{refund.pk}"
    assert goes_to(office, refund.provider_refund_id) == f"{page}#refund-{refund.pk}"
    assert goes_to(office, payment.provider_payment_id) == f"{page}#payment-{payment.pk}"
    assert goes_to(office, payment.provider_collection_id) == f"{page}#payment-{payment.pk}"
    row = HistoryRow.objects.filter(escrow=escrow, withdrawal=None).latest("pk")
    assert goes_to(office, row.public_id) == page


def test_a_dispute_and_a_chargeback(world: World, office: Client) -> None:
    job, dispute = scenes.disputed(world)
    assert goes_to(office, dispute.public_id) == f"{addresses.change(job.escrow)}#dispute-{dispute.pk}"
    contested = world.funded(card=CONTESTED)
    world.hear()
    chargeback = Chargeback.objects.get(escrow=contested.escrow)
    wanted = f"{addresses.change(contested.escrow)}#chargeback-{chargeback.pk}"
    assert goes_to(office, chargeback.provider_dispute_id) == wanted


def test_a_withdrawal_a_transfer_and_an_account(world: World, office: Client) -> None:
    freelancer, withdrawal = scenes.failed_withdrawal(world)
    assert goes_to(office, withdrawal.public_id) == addresses.change(withdrawal)
    assert goes_to(office, withdrawal.provider_payout_id) == addresses.change(withdrawal)
    row = HistoryRow.objects.get(withdrawal=withdrawal)
    assert goes_to(office, row.public_id) == addresses.change(withdrawal)
    account = world.account(freelancer)
    assert goes_to(office, account.provider_account_id) == addresses.change(account)
    transfer = Operation.objects.get(kind="create_transfer", user_id=user_id(freelancer))
    assert goes_to(office, transfer.provider_reference) == addresses.change(transfer)
    assert goes_to(office, transfer.reference) == addresses.change(transfer)
    assert goes_to(office, transfer.key) == addresses.change(transfer)


def test_a_person_by_name_email_customer_and_card(world: World, office: Client) -> None:
    job = world.funded()
    user = User.objects.get(pk=user_id(job.client))
    customer = Customer.objects.get(user=user)
    card = saved_methods.save(actor=job.client, method_id=world.browser.new_method(), make_default=True, now=world.now)
    for wanted in (user.username.upper(), user.email, customer.provider_customer_id, card.provider_method_id):
        assert goes_to(office, wanted) == addresses.change(user)


def test_an_event_a_posting_and_an_account_of_the_books(world: World, office: Client) -> None:
    job = world.funded()
    event = scenes.event(world)
    assert goes_to(office, event.event_id) == addresses.change(event)
    posting = Transaction.objects.get(key=f"payment:{job.payment.pk}:received")
    assert goes_to(office, posting.pk) == addresses.change(posting)
    assert goes_to(office, posting.key) == addresses.change(posting)
    account = Account.objects.get(code=f"escrow:{job.escrow.pk}")
    assert goes_to(office, account.code) == addresses.change(account)


def test_a_number_leads_to_all_that_have_it(world: World, office: Client) -> None:
    job = world.funded()
    number = job.escrow.pk
    page = office.get(f"/backoffice/find/?q=%23{number}").content.decode()
    assert f'href="{addresses.change(job.escrow)}"' in page
    assert f'href="{addresses.change(job.escrow)}#payment-{job.payment.pk}"' in page
    palette = office.get(f"/backoffice/search/?s={number}").content.decode()
    assert f"Escrow {number}" in palette


@pytest.mark.parametrize(
    "wanted",
    [
        "", " ", "nothing", "pi_", "pi_nothing", "po_x", "99999999999999999999", "9" * 19, "create_refund:1:1",
        "create_refund:99999999999999999999:99999", "a:b:c", "%00", "'; DROP TABLE x; --", "x" * 5000, "é@ü", "#",
    ],
)  # fmt: skip
def test_what_nothing_carries_is_said(world: World, office: Client, wanted: str) -> None:
    answer = office.get("/backoffice/find/", {"q": wanted})
    assert answer.status_code == 200
    assert ("No match" in answer.content.decode()) == bool(wanted.strip())
    assert office.get("/backoffice/search/", {"s": wanted}).status_code == 200
