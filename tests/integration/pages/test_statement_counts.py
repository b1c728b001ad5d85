"""Every page needs at most twelve statements, with much to show as with little."""

from collections.abc import Callable, Iterator

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from multitask.payments.books.proof import keys, statements
from multitask.payments.funding import saved_methods
from multitask.payments.models import SavedMethod, Withdrawal
from multitask.payments.reads import wallet
from multitask.users.actor import Actor
from multitask.web.pages import urls
from tests.integration.pages.reading import MOST_STATEMENTS
from tests.payments_world import Job, World, dollars, user_id

# These only take forms, or lead on to another page.
FORMS = {
    "sign-out", "checkout-begin", "onboarding-start", "onboarding-return", "onboarding-refresh", "payment-refund",
    "onboarding-replace", "onboarding-dashboard", "payment-give-back", "payout-details-remove", "checkout-returned",
    "refund-accept", "refund-refuse", "refund-withdraw", "payment-dispute",
    "preferences", "task-apply", "application-accept", "application-reject", "application-withdraw", "task-start",
    "security-begin", "security-cancel", "security-confirm",
    "security-codes", "security-off", "email-resend", "card-prefer",
}  # fmt: skip
# These stand in development alone, or are seen with a link or code from an email or a phone.
ELSEWHERE = {
    "dev-emails", "dev-notice", "dev-letter", "email-confirm", "password-reset", "sign-in-code", "prove",
}  # fmt: skip
SIGNED_OUT = ("home", "sign-in", "register", "password-forgotten", "password-sent")
OF_ONE_STATEMENT = ("proof-statement", "proof-signed", "proof-text", "proof-signature")
OF_ONE_TASK = ("task", "payment")
ANYBODYS = (
    "home", "wallet", "transactions", "transactions-export", "statement", "statement-export", "tasks", "notices",
    "profile", "cards", "email-change", "password-change", "security", "withdrawals", "withdraw", "proof-own",
)  # fmt: skip


def addresses(*jobs: Job, withdrawal: Withdrawal) -> Iterator[tuple[str, Actor | None, str]]:
    """Every page, with who looks at it."""
    yield from ((name, None, reverse(f"pages:{name}")) for name in SIGNED_OUT)
    yield from ((name, None, reverse(f"pages:{name}")) for name in ("proof", "proof-verifier"))
    yield from ((name, None, reverse(f"pages:{name}", args=[1])) for name in OF_ONE_STATEMENT)
    yield "proof-key", None, reverse("pages:proof-key", args=[keys.key_id(keys.public_key())])
    for job in jobs:
        for actor in (job.client, job.freelancer):
            yield from ((name, actor, reverse(f"pages:{name}")) for name in ANYBODYS)
            yield from ((name, actor, reverse(f"pages:{name}", args=[job.task_id])) for name in OF_ONE_TASK)
    first, last = jobs[0], jobs[-1]
    yield "tasks", first.client, reverse("pages:tasks") + "?which=mine"
    yield "task-new", first.client, reverse("pages:task-new")
    _paid, asked, delivered, completed, _unpaid = jobs
    yield "payment-release", first.client, reverse("pages:payment-release", args=[completed.task_id])
    yield "payment-confirm", first.client, reverse("pages:payment-confirm", args=[delivered.task_id])
    yield "task-deliver", asked.freelancer, reverse("pages:task-deliver", args=[asked.task_id])
    yield "task-cancel", asked.freelancer, reverse("pages:task-cancel", args=[asked.task_id])
    yield "receipt", first.client, reverse("pages:receipt", args=[first.task_id])
    yield "checkout", last.client, reverse("pages:checkout", args=[last.task_id])
    yield "checkout-wait", last.client, reverse("pages:checkout-wait", args=[last.task_id])
    yield "card-remove", first.client, reverse("pages:card-remove", args=[SavedMethod.objects.get().pk])
    freelancer = first.freelancer
    yield "onboarding", freelancer, reverse("pages:onboarding")
    for name in ("payout-details", "payout-details-identity"):
        yield name, freelancer, reverse(f"pages:{name}")
    yield "payout-details-add", freelancer, reverse("pages:payout-details-add", args=["bank"])
    yield "withdraw-confirm", freelancer, reverse("pages:withdraw-confirm") + "?amount=1.00&currency=USD"
    yield "withdrawal", freelancer, reverse("pages:withdrawal", args=[withdrawal.public_id])
    leaving = Withdrawal.objects.get(state="processing")
    yield "withdrawal-cancel", freelancer, reverse("pages:withdrawal-cancel", args=[leaving.public_id])
    row = wallet.rows(user_id(freelancer), wallet.Filter())[0]
    yield "transaction", freelancer, reverse("pages:transaction", args=[row.public_id])


@pytest.fixture
def scene(world: World) -> tuple[tuple[Job, ...], Withdrawal]:
    """Two people with tasks in every state, among them one that was paid out, one contested and one to be paid."""
    client, freelancer = world.client(), world.freelancer()
    paid = world.settled(client=client, freelancer=freelancer)
    withdrawal = world.arrive(world.withdrawn(freelancer, dollars("20.00")))
    world.withdrawn(freelancer, dollars("5.00"))
    asked = world.started(client=client, freelancer=freelancer)
    world.refund(asked, client, dollars("30.00"), note="It is not round.")
    delivered = world.delivered(client=client, freelancer=freelancer)
    completed = world.completed(client=client, freelancer=freelancer)
    unpaid = world.hired(client=client, freelancer=freelancer)
    world.ask_to_pay(unpaid)
    card = world.browser.new_method("4242424242424242")
    saved_methods.save(actor=client, method_id=card, make_default=True, now=world.now)
    statements.publish(now=world.now)
    return (paid, asked, delivered, completed, unpaid), withdrawal


def test_every_page_needs_at_most_twelve_statements(
    scene: tuple[tuple[Job, ...], Withdrawal], sign_in: Callable[[Actor], Client]
) -> None:
    jobs, withdrawal = scene
    browsers: dict[Actor | None, Client] = {None: Client()}
    costly, seen = {}, set()
    for name, actor, address in addresses(*jobs, withdrawal=withdrawal):
        browser = browsers.setdefault(actor, sign_in(actor) if actor else Client())
        with CaptureQueriesContext(connection) as queries:
            answer = browser.get(address)
            b"".join(answer) if answer.streaming else answer.content
        assert answer.status_code == 200, (address, answer.status_code)
        seen.add(name)
        if len(queries) > MOST_STATEMENTS:
            costly[address] = [query["sql"][:200] for query in queries]
    assert not costly
    named = {str(pattern.name) for pattern in urls.urlpatterns}
    assert seen == named - FORMS - ELSEWHERE
