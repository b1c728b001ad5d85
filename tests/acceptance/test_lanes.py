"""Every request that calls the provider while its caller waits is in the provider's lane, and no other is.

The requests of all other tests are watched too, see `tests.request_lanes`.
"""

import re
import uuid
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from multitask.payments.models import ConnectedAccount, Escrow, HistoryRow, SavedMethod, Withdrawal
from multitask.payments.payouts import onboarding
from multitask.users.actor import Actor
from multitask.web.api.middleware import JSON_PREFIXES
from multitask.web.backoffice.registry import ACTIONS
from multitask.web.server import lane_rules
from multitask.web.server.lanes import Name
from tests.acceptance import clients
from tests.acceptance.clients import Caller
from tests.sandbox_process import SandboxProcess

# An account is made before it is used, and a card is deleted after it was.
FIRST, LAST = "connect/create/", "payment-methods/<int:method_id>/delete/"
REMOVALS = (LAST, "profile/cards/<int:method_id>/remove/")
BACKEND = "multitask.users.backends.UsernameOrEmailBackend"


def all_routes(resolver: Any = None, prefix: str = "") -> Iterator[str]:
    """Every route of the site but the back office, whose actions are carried out in tests of their own."""
    for pattern in (resolver or get_resolver()).url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from all_routes(pattern, route) if route != "backoffice/" else ()
        elif isinstance(pattern, URLPattern):
            yield route


def filled(route: str, known: dict[str, object]) -> str | None:
    """The address of a route with ids that exist; None where there is nothing of the kind."""
    names = re.findall(r"<(?:\w+:)?(\w+)>", route)
    if not set(names) <= known.keys():
        return None
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(known[found[1]]), route)


def agreed(client: Caller, freelancer: Caller) -> dict[str, Any]:
    """An application that was accepted."""
    body = {"title": "Draw a logo", "description": "A round one.", "budget": "100.00"}
    task = client.post("/api/tasks/create/", body).json
    application = freelancer.post(f"/api/tasks/{task['id']}/apply/").json
    client.post(f"/api/tasks/applications/{application['id']}/accept/")
    return {"task_id": task["id"], "application_id": application["id"]}


def bodies(person: Caller, known: dict[str, object]) -> dict[str, dict[str, object]]:
    """What some commands cannot do without, by the end of their routes."""
    task: dict[str, object] = {
        "title": "Draw a map",
        "description": "A square one.",
        "budget": "100.00",
        "currency": "USD",
    }
    return {
        "intents/create/": {"application_id": known["application_id"]},
        "payment-methods/create/": {"payment_method_id": "pm_card_visa"},
        "wallet/withdrawals/<uuid:withdrawal_id>/cancel/": {"confirmed": "processing pending"},
        "profile/cards/<int:method_id>/remove/": {"confirmed": str(known.get("method_id"))},
        "connect/replace/": another_place(person),
        "onboarding/replace/": another_place(person),
        "tasks/create/": task,
        "tasks/new/": task,
    }


def current_account(person: Caller) -> ConnectedAccount | None:
    """The account to which a person is paid."""
    return onboarding.account_of(person.user.pk)


def another_place(person: Caller) -> dict[str, object]:
    """A country and a currency that the account does not have yet."""
    account = current_account(person)
    return {"country": "US", "currency": "EUR" if account is not None and account.currency == "USD" else "USD"}


def payout_under_way(person: Caller) -> dict[str, object]:
    """A withdrawal whose payout the provider is asked to cancel, and does not know."""
    account = current_account(person)
    withdrawal = Withdrawal.objects.create(
        user=person.user, account=account, provider="stripe", provider_payout_id=f"po_{uuid.uuid4().hex}",
        provider_status="pending", amount_minor=1_000, currency="USD", state="processing", created_at=timezone.now(),
    )  # fmt: skip
    return {"withdrawal_id": withdrawal.public_id}


def turn(route: str) -> tuple[bool, bool, int, str]:
    """When a route is visited: those without ids make what the others need."""
    return (not route.endswith(FIRST), route.endswith(LAST), route.count("<"), route)


def visit(route: str, person: Caller, known: dict[str, object]) -> None:
    """Get and post, signed in on a page."""
    path = filled(route, known)
    if path is None:
        return
    body = next((body for end, body in bodies(person, known).items() if route.endswith(end)), {})
    browser = Client(raise_request_exception=False)
    # Programs send JSON, the pages send forms.
    sent = {"content_type": "application/json"} if path.startswith(JSON_PREFIXES) else {}
    for send in (lambda: browser.get(path), partial(browser.post, path, body, **sent)):
        # One of the pages signs out.
        browser.force_login(person.user, backend=BACKEND)
        send()


def complete(sandbox: SandboxProcess, person: Caller) -> None:
    """Fill in what the provider wants to know about an account, so that it can be opened there."""
    account = current_account(person)
    if account is None or account.details_submitted:
        return
    made = onboarding.link(
        actor=Actor.of(person.user), refresh_url="http://127.0.0.1/", return_url="http://127.0.0.1/", now=timezone.now()
    )
    sandbox.onboard(made.url)
    onboarding.refresh(user_id=person.user.pk, now=timezone.now())


@pytest.mark.breaks_the_books  # Nothing is set aside for the withdrawals.
@pytest.mark.parametrize("prefix", ["", "api/"])
def test_requests_that_call_the_provider_are_in_its_lane(
    transactional_db: None, sandbox: SandboxProcess, settings: LazySettings, prefix: str
) -> None:
    settings.CARD_CALLS_PER_USER = settings.PAYMENT_CALLS_PER_USER = 0  # so that no call is spared
    sandbox.clear_faults()
    sandbox.add_fault("delay", path="/v1/*", seconds=0)  # which counts the requests
    # The other spelling of the payments' addresses is a run of its own: most calls are made once for a person.
    other = "api/payments/" if not prefix else "payments/"
    wanted = [route for route in dict.fromkeys(all_routes()) if not route.startswith(other)]
    person, freelancer = clients.person(client=True, freelancer=True), clients.person(freelancer=True)
    known: dict[str, object] = dict(agreed(person, freelancer))
    calling = set()
    for route in sorted(wanted, key=turn):
        if route.endswith("pay/begin/"):
            known |= agreed(person, freelancer)
        if "<withdrawal_id>/cancel" in route or "uuid:withdrawal_id>/cancel" in route:
            known |= payout_under_way(person)
        if route.endswith(REMOVALS):
            card = {"payment_method_id": "pm_card_visa"}
            known["method_id"] = person.post("/payments/payment-methods/create/", card).json["id"]
        complete(sandbox, person)
        before = sandbox.faults()[0]["matched"]
        visit(route, person, known)
        if sandbox.faults()[0]["matched"] > before:
            calling.add(route)
        for name, rows in (("escrow_id", Escrow), ("method_id", SavedMethod), ("transaction_id", HistoryRow)):
            newest = rows.objects.order_by("-pk").first()  # type: ignore[attr-defined]
            if newest is not None:
                known[name] = getattr(newest, "public_id", newest.pk)

    listed = {route for route in lane_rules.PROVIDER_ROUTES if not route.startswith((other, "backoffice/"))}
    assert calling == listed
    sandbox.clear_faults()


def test_the_table_names_routes_that_exist() -> None:
    actions = {f"backoffice/do/{name}/<int:subject_id>/" for name in ACTIONS}
    assert {*all_routes(), *actions} >= lane_rules.PROVIDER_ROUTES
    known = {"task_id": 7, "method_id": 9, "withdrawal_id": uuid.uuid4(), "subject_id": 3}
    for route in lane_rules.PROVIDER_ROUTES:
        assert lane_rules.lane_of(filled(route, known) or "") is Name.PROVIDER
