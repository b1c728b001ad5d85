"""Each action carries out its command once, and leaves the reason in the audit trail."""

import uuid
from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone

from multitask.payments.escrow import disputes
from multitask.payments.models import Approval, AuditEvent, Operation, Refund
from multitask.payments.operations import engine
from multitask.users.actor import Actor
from multitask.users.models import User
from multitask.webhooks.models import EventState, IncomingEvent
from tests.integration.backoffice import addresses, scenes
from tests.payments_world import World, dollars, held, user_id

Browser = Callable[[Actor], Client]
WHY = "The client called and asked for it"


def do(browser: Client, name: str, subject_id: int | None = None, **fields: str) -> str:
    """Send the form of an action; answer the address that it leads to."""
    asked = browser.get(addresses.action(name, subject_id))
    assert asked.status_code == 200
    answer = browser.post(addresses.action(name, subject_id), {"note": WHY, "request_key": str(uuid.uuid4()), **fields})
    assert answer.status_code == 302, answer.content.decode()[-3000:]
    return str(answer["Location"])


def told(browser: Client, address: str) -> str:
    """The page that an action leads to."""
    return browser.get(address.split("#", maxsplit=1)[0]).content.decode()


def audited(event: str, actor: Actor) -> AuditEvent:
    """The one line that an action left."""
    found = AuditEvent.objects.get(event=event, actor_id=actor.user_id)
    assert (found.note, found.actor_role, found.ip) == (WHY, actor.role.value, "127.0.0.1")
    return found


def test_release(world: World, finance: Actor, office: Client) -> None:
    job = world.funded()
    address = do(office, "release", job.escrow.pk)
    assert address == addresses.change(job.escrow)
    assert job.escrow.state == "released"
    assert held(f"user:{user_id(job.freelancer)}:pending") == 8_500
    assert audited("released", finance).amount_minor == 10_000
    page = told(office, address)
    assert "Released." in page
    assert WHY in page


def test_refund_in_part(world: World, finance: Actor, office: Client) -> None:
    job = world.funded()
    do(office, "refund", job.escrow.pk, amount="30.00", reason="agreed")
    assert (job.refund.amount_minor, job.refund.state, job.refund.reason) == (3_000, "pending", "agreed")
    assert job.refund.note == WHY
    assert audited("refund_started", finance).amount_minor == 3_000
    world.work()
    assert job.escrow.refunded_minor == 3_000


def test_refund_of_everything(world: World, office: Client) -> None:
    job = world.funded()
    do(office, "refund", job.escrow.pk, reason="not_delivered")
    world.work()
    assert job.escrow.state == "refunded"


def test_settle(world: World, finance: Actor, office: Client) -> None:
    job, dispute = scenes.disputed(world)
    address = do(office, "settle", dispute.pk, client_amount="40.00", freelancer_amount="60.00")
    assert address == f"{addresses.change(job.escrow)}#dispute-{dispute.pk}"
    dispute.refresh_from_db()
    assert (dispute.state, dispute.settlement_note, dispute.settled_by_id) == ("settled", WHY, finance.user_id)
    audited("dispute_settled", finance)
    page = told(office, address)
    assert "$40.00 to the client, $60.00 to the freelancer before the fee" in page


def test_settle_with_nothing_for_one_side(world: World, office: Client) -> None:
    job, dispute = scenes.disputed(world)
    do(office, "settle", dispute.pk, client_amount="0", freelancer_amount="100")
    assert job.escrow.state == "released"


def test_agree_to_a_refund_that_the_client_asks_for(world: World, finance: Actor, office: Client) -> None:
    job = world.started()
    world.refund(job, note="Two weeks without a word")
    page = told(office, addresses.change(job.escrow))
    assert addresses.action("refuse-refund", job.refund.pk) in page
    assert "Two weeks without a word" in told(office, addresses.action("accept-refund", job.refund.pk))
    address = do(office, "accept-refund", job.refund.pk)
    assert address == f"{addresses.change(job.escrow)}#refund-{job.refund.pk}"
    assert (job.refund.state, job.refund.answer_note) == ("pending", WHY)
    assert audited("refund_granted", finance).amount_minor == 10_000
    page = told(office, address)
    assert "Our staff agreed to the refund" in page
    assert addresses.action("accept-refund", job.refund.pk) not in page


def test_refuse_a_refund_that_the_client_asks_for(world: World, finance: Actor, office: Client) -> None:
    job = world.started()
    world.refund(job)
    page = told(office, do(office, "refuse-refund", job.refund.pk))
    assert (job.refund.state, job.escrow.state) == ("refused", "disputed")
    audited("refund_denied", finance)
    assert "Refused. A dispute is open." in page


def test_a_large_request_is_written_down_for_a_second_person(world: World, office: Client) -> None:
    job = world.started(scenes.LARGE)
    world.refund(job)
    page = told(office, do(office, "accept-refund", job.refund.pk))
    assert "Nothing moves until a second person has approved it." in page
    assert addresses.action("accept-refund", job.refund.pk) not in page
    assert (job.refund.state, Approval.objects.get().arguments["amount_minor"]) == ("requested", 250_000)


def test_retry_a_failed_refund(world: World, finance: Actor, office: Client) -> None:
    job = scenes.failed_refund(world)
    failed = job.refund
    page = told(office, addresses.change(job.escrow))
    assert "The card has expired or was cancelled." in page
    assert addresses.action("retry-refund", failed.pk) in page
    do(office, "retry-refund", failed.pk)
    again = Refund.objects.get(request_key=f"resend:{failed.pk}")
    assert (again.amount_minor, again.state) == (4_000, "pending")
    audited("refund_started", finance)
    page = told(office, addresses.change(job.escrow))
    assert addresses.action("retry-refund", failed.pk) not in page
    assert "It was tried again." in page


def test_retry_a_refund_whose_escrow_was_released_meanwhile(world: World, finance: Actor, office: Client) -> None:
    job = world.completed()
    refund = scenes.refund_of(world, job, dollars("40.00"))
    world.release(job)
    world.sandbox.control("POST", f"refunds/{refund.provider_refund_id}/fail", {"reason": "declined"})
    world.learn_of_refund(refund)
    do(office, "retry-refund", refund.pk)
    audited("refund_retried", finance)


def test_retry_a_refused_transfer(world: World, finance: Actor, office: Client) -> None:
    job, blocking = scenes.refused_transfer(world)
    world.at_provider(f"transfers/{blocking}/reversals")
    page = told(office, addresses.change(job.escrow))
    assert "The transfer was refused" in page
    do(office, "retry-transfer", job.escrow.pk)
    audited("transfer_retried", finance)
    world.work()
    assert job.transfer.state == "succeeded"
    assert "The transfer was refused</h2>" not in told(office, addresses.change(job.escrow))


def test_return_a_payment_under_review(world: World, finance: Actor, office: Client) -> None:
    job = scenes.payment_under_review(world)
    payment = job.payment
    page = told(office, addresses.change(job.escrow))
    assert "$90.00 arrived." in page
    do(office, "return-payment", payment.pk)
    assert (job.refund.source, job.refund.amount_minor, job.refund.note) == ("unapplied", 9_000, WHY)
    audited("payment_sent_back", finance)
    world.work()
    payment.refresh_from_db()
    assert payment.state == "returned"


def test_replay_a_webhook(world: World, finance: Actor, office: Client) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    world.pay(job)
    event = scenes.event(world, object_id=str(job.payment.provider_payment_id))
    assert do(office, "replay", event.pk) == addresses.change(event)
    assert audited("webhook_replayed", finance).details["event_id"] == event.event_id
    world.wait(minutes=1)
    world.work()
    event.refresh_from_db()
    assert (event.state, job.escrow.state) == (EventState.PROCESSED, "funded")


def test_push_a_stuck_call(world: World, finance: Actor, office: Client) -> None:
    job = scenes.stuck_transfer(world)
    operation = job.transfer
    assert "This call is stuck" in told(office, addresses.change(operation))
    do(office, "retry-call", operation.pk)
    found = audited("operation_retried", finance)
    assert (found.escrow_id, found.details["operation"]) == (job.escrow.pk, operation.reference)
    world.wait(minutes=1)
    world.work()
    assert job.transfer.state == "succeeded"
    assert job.history().count("transferred") == 1


def test_push_a_call_that_is_held_does_not_send_it(world: World, office: Client) -> None:
    job = world.completed(freelancer=world.freelancer(onboarded=False))
    world.release(job)
    world.work()
    assert job.transfer.hold == "awaits_account"
    do(office, "retry-call", job.transfer.pk)
    world.work()
    assert (job.transfer.state, job.transfer.hold, job.transfer.attempts) == ("pending", "awaits_account", 0)


def test_sweep_all_overdue_calls(world: World, finance: Actor, office: Client) -> None:
    job = scenes.stuck_transfer(world)
    world.lose_jobs()
    Operation.objects.filter(pk=job.transfer.pk).update(next_attempt_at=timezone.now() - engine.CLAIM)
    address = do(office, "retry-overdue-calls")
    assert audited("operations_swept", finance).details == {"operations": 1}
    assert "Overdue calls given to workers: 1." in told(office, address)


def test_a_large_refund_needs_two_people(world: World, finance: Actor, office: Client, browser: Browser) -> None:
    job = world.funded(scenes.LARGE)
    asked = office.get(addresses.action("refund", job.escrow.pk)).content.decode()
    assert "nothing moves until a colleague approves it" in asked
    address = do(office, "refund", job.escrow.pk, reason="agreed")
    page = told(office, address)
    assert "Nothing moves until a second person has approved it." in page
    assert "You asked for this yourself, so a colleague has to approve it." in page
    approval = Approval.objects.get()
    audited("refund_needs_approval", finance)
    assert not Refund.objects.exists()
    assert addresses.action("approve", approval.pk) not in page
    assert addresses.action("refund", job.escrow.pk) not in page
    support = told(browser(world.staff("support")), address)
    assert "A second person of the finance staff has to approve it." in support

    second = world.staff("finance")
    colleague = browser(second)
    assert addresses.action("approve", approval.pk) in told(colleague, address)
    do(colleague, "approve", approval.pk)
    audited("refund_approved", second)
    assert job.refund.amount_minor == LARGE_MINOR


def test_a_large_release_needs_two_people(world: World, finance: Actor, office: Client, browser: Browser) -> None:
    job = world.completed(scenes.LARGE)
    asked = office.get(addresses.action("release", job.escrow.pk)).content.decode()
    assert "nothing moves until a colleague approves it" in asked
    page = told(office, do(office, "release", job.escrow.pk))
    assert "Nothing moves until a second person has approved it." in page
    assert "The release waits for a second person" in page
    audited("release_needs_approval", finance)
    approval = Approval.objects.get()
    for name, subject_id in (("approve", approval.pk), ("release", job.escrow.pk), ("refund", job.escrow.pk)):
        assert addresses.action(name, subject_id) not in page
    assert "$2,500.00" in told(office, addresses.listing(Approval))

    second = world.staff("finance")
    colleague = browser(second)
    assert "The money is released at once." in told(colleague, addresses.action("approve", approval.pk))
    page = told(colleague, do(colleague, "approve", approval.pk))
    audited("release_approved", second)
    assert "Approved and carried out." in page
    assert (job.escrow.state, job.escrow.released_minor) == ("released", LARGE_MINOR)


LARGE_MINOR = scenes.LARGE.amount_minor


def test_nobody_approves_what_they_asked_for(world: World, finance: Actor, office: Client) -> None:
    job = world.funded(scenes.LARGE)
    world.refund(job, finance)
    approval = Approval.objects.get()
    answer = office.post(addresses.action("approve", approval.pk), {"note": WHY})
    assert answer.status_code == 409
    assert "A second person has to approve this." in answer.content.decode()
    assert not Refund.objects.exists()


def test_a_settlement_is_turned_down(world: World, office: Client, finance: Actor) -> None:
    job, dispute = scenes.disputed(world, scenes.LARGE)
    disputes.settle(
        actor=world.staff(), dispute_id=dispute.pk, client_amount=scenes.LARGE, freelancer_amount=dollars("0"),
        note="All back", now=world.now,
    )  # fmt: skip
    approval = Approval.objects.get()
    page = told(office, addresses.change(job.escrow))
    assert addresses.action("settle", dispute.pk) not in page
    do(office, "turn-down", approval.pk)
    audited("settle_turned_down", finance)
    dispute.refresh_from_db()
    assert (dispute.state, job.escrow.state) == ("open", "disputed")
    assert addresses.action("settle", dispute.pk) in told(office, addresses.change(job.escrow))


def test_a_form_that_is_sent_twice_counts_once(world: World, office: Client) -> None:
    job = world.funded()
    form = {"note": WHY, "amount": "30.00", "reason": "agreed", "request_key": str(uuid.uuid4())}
    answers = [office.post(addresses.action("refund", job.escrow.pk), form) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [302, 302]
    assert Refund.objects.count() == 1


def test_a_stale_page_is_told_what_happened_meanwhile(world: World, office: Client) -> None:
    job = world.completed()
    office.get(addresses.action("release", job.escrow.pk))
    world.release(job)
    answer = office.post(addresses.action("release", job.escrow.pk), {"note": WHY})
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "This cannot be done in the present state." in page
    assert "Nothing was done." in page
    assert "Released" in page
    assert WHY in page


@pytest.mark.parametrize(
    ("name", "fields", "words"),
    [
        ("release", {"note": ""}, "This field is required."),
        ("release", {"note": "   "}, "This field is required."),
        ("release", {"note": "x" * 1001}, "1000"),
        ("refund", {"amount": "0", "reason": "agreed"}, "The amount has to be more than zero."),
        ("refund", {"amount": "1e2", "reason": "agreed"}, "Write the amount as a number"),
        ("refund", {"amount": "1.001", "reason": "agreed"}, "does not have that many decimals"),
        ("refund", {"amount": "1.00", "reason": "because"}, "Select a valid choice."),
    ],
)
def test_bad_input_moves_nothing_and_stays_in_the_form(
    world: World, office: Client, name: str, fields: dict[str, str], words: str
) -> None:
    job = world.funded()
    answer = office.post(addresses.action(name, job.escrow.pk), {"note": WHY, **fields})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert words in page
    assert 'aria-invalid="true"' in page
    assert job.escrow.state == "funded"
    assert not Refund.objects.exists()


def test_a_rules_own_sentence_is_marked_as_english_on_an_arabic_page(world: World, office: Client) -> None:
    job = world.completed()
    world.release(job)
    office.cookies["django_language"] = "ar"
    answer = office.post(addresses.action("release", job.escrow.pk), {"note": WHY})
    assert b'dir="rtl"' in answer.content
    assert b'<p lang="en" dir="auto">' in answer.content


def test_more_than_is_there_is_refused_in_words(world: World, office: Client) -> None:
    job = world.funded()
    answer = office.post(
        addresses.action("refund", job.escrow.pk), {"note": WHY, "amount": "100.01", "reason": "agreed"}
    )
    assert answer.status_code == 409
    assert "The amount is more than is left." in answer.content.decode()
    assert 'value="100.01"' in answer.content.decode()


@pytest.mark.parametrize("shares", [("50", "49.99"), ("-1", "101"), ("", "100"), ("9" * 19, "9" * 19), ("x", "100")])
def test_shares_that_are_not_the_whole_are_refused(world: World, office: Client, shares: tuple[str, str]) -> None:
    _job, dispute = scenes.disputed(world)
    form = {"note": WHY, "client_amount": shares[0], "freelancer_amount": shares[1]}
    assert office.post(addresses.action("settle", dispute.pk), form).status_code == 422
    dispute.refresh_from_db()
    assert dispute.state == "open"


def test_refusals_of_calls_and_webhooks_are_shown(world: World, office: Client) -> None:
    job = world.released()
    done = office.post(addresses.action("retry-call", job.transfer.pk), {"note": WHY})
    assert done.status_code == 409
    none_refused = office.post(addresses.action("retry-transfer", job.escrow.pk), {"note": WHY})
    assert "No transfer of this escrow was refused." in none_refused.content.decode()
    quarantined = scenes.event(world, state=EventState.QUARANTINED)
    refused = office.post(addresses.action("replay", quarantined.pk), {"note": WHY})
    assert "in quarantine and cannot be replayed" in refused.content.decode()
    assert IncomingEvent.objects.get(pk=quarantined.pk).state == EventState.QUARANTINED


def test_staff_does_not_decide_over_money_of_their_own(world: World, browser: Browser) -> None:
    finance = world.staff("finance", is_freelancer=True)
    world.onboard(finance)
    job = world.delivered(freelancer=finance)
    inside = browser(finance)
    page = told(inside, addresses.change(job.escrow))
    assert "You are the client or the freelancer of this escrow." in page
    assert "/backoffice/do/" not in page
    answer = inside.post(addresses.action("release", job.escrow.pk), {"note": WHY})
    assert answer.status_code == 409
    assert job.escrow.state == "funded"


def test_a_form_needs_its_token(world: World, finance: Actor) -> None:
    job = world.funded()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(pk=user_id(finance)), backend="multitask.users.backends.UsernameOrEmailBackend")
    assert strict.post(addresses.action("release", job.escrow.pk), {"note": WHY}).status_code == 403
    assert job.escrow.state == "funded"
