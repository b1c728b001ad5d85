"""Every page with hostile text in all text columns: each responds, and no script runs.

Columns and addresses are found by looking, so that new ones are covered by themselves: a model's text column is
filled unless the database refuses the text; an address of the pages is visited with every row that it can name.
"""

import csv
import io
import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any, Final

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, models, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation
from pytest_django import Settings

from multitask.marketplace.models import Application, Task
from multitask.money import Money
from multitask.payments.authorization import approvals
from multitask.payments.books.proof import keys, statements
from multitask.payments.escrow import disputes
from multitask.payments.funding import saved_methods
from multitask.payments.losses import adjustments, chargebacks
from multitask.payments.models import (
    Adjustment,
    AdjustmentReversal,
    CardToken,
    Customer,
    HistoryRow,
    Notice,
    PayoutDestination,
    Refund,
    SavedMethod,
    Withdrawal,
)
from multitask.payments.notices import emails, notices
from multitask.payments.payouts import budget_records, identity, withdrawals
from multitask.payments.provider.destinations import DestinationKind
from multitask.providers import rate_limits
from multitask.users import account_emails, mail
from multitask.users.actor import Actor
from multitask.users.models import LoginAttempt, User
from multitask.web.api import document, urls
from multitask.web.api.models import IdempotencyRecord, IdempotencyState
from multitask.web.backoffice.registry import ACTIONS
from multitask.web.pages import urls as pages
from multitask.webhooks.models import PollPosition
from tests.integration.backoffice import addresses, scenes
from tests.integration.destinations import payees
from tests.payments_world import World, dollars, user_id

pytestmark = pytest.mark.breaks_the_books

SignIn = Callable[[Actor], Client]
RAW: Final = '<script>alert("1")</script><img src=x onerror=alert(1)>'
# What a JSON document may hold though no text of ours can: half of a surrogate pair, and a very deep nesting.
SURROGATES: Final = (
    '{"\\ud800": "\\udfff", "data": {"object": {"client_secret": "pi_\\ud800", "n": 1e999}}, "f": "\\u0000"}'
)
UNSEEN: Final = (
    "\u202egnp.txt\u202c\u2066\u200f\u061c\u200b\u200d\ufeff"
    "Z\u0301\u0327\u0489\u0301\u0327\u0489\U0001f469\U0010ffff\ufffe"
)
TEXTS: Final = {
    "half surrogates in JSON": SURROGATES,
    "deep JSON": "[" * 900 + '"client_secret"' + "]" * 900,
    "markup": RAW + "\"' onmouseover=alert(1) x='{{ 7|add:7 }}{% include 'x' %}%(name)s {name} %s ${x} `x`" + UNSEEN,
    "formula": '=HYPERLINK("http://example.org")\r\nBcc: everybody@example.org\r\n\r\nHello\u2028a\u2029b\x0b\x0c\x85',
    "spaced formula": " \t@SUM(1+1)*cmd|' /C calc'!A0\x01\x07\x08\x1b[31mred\x7f\x9f../../etc/passwd?x=1&y=2#z;%00",
    "very long": "[" + "W" * 100_000,
    "blank": UNSEEN[8:11] + "   ",
    "empty": "",
}
# Of one kind of page with rows like one another.
MOST_OF_A_KIND: Final = 2
# What is not text, though it is kept as text: why.
NO_TEXT: Final = {
    "users.User.password": "a hash; a session ends when it changes",
    "payments.Approval.kind": "names the command that carries the decision out",
    "payments.Approval.arguments": "the arguments of that command, with amount and currency",
    "payments.Refund.source": "one of Refund.SOURCES, which the API documents",
    "payments.ConnectedAccount.rejection": "one of Rejection, or empty",
    "payments.Notice.kind": "names the sentence that tells of it",
    "payments.HistoryRow.type": "one of HistoryType, which the API documents",
    "payments.ProofStatement.text": "JSON that was signed; the checks find any other text",
    "payments.ProofStatement.public_key": "a key in hexadecimal; the checks find any other",
    "payments.ProofStatement.signature": "made by the key; the checks find any other",
}


@pytest.fixture
def people(world: World, settings: Settings) -> list[Actor]:
    """A marketplace with rows of every kind; answers those whose pages are read."""
    settings.ENV = settings.ENV.model_copy(update={"multitask_env": "development"})
    job, dispute = scenes.disputed(world, scenes.LARGE)
    disputes.settle(
        actor=world.staff(), dispute_id=dispute.pk, client_amount=scenes.LARGE, freelancer_amount=dollars("0"),
        note="Nothing was delivered", now=world.now,
    )  # fmt: skip
    freelancer = world.freelancer(bank=scenes.CLOSED_BANK)
    paid = world.settled(freelancer=freelancer)
    world.arrive(world.withdrawn(freelancer, dollars("60.00")))
    scenes.failed_refund(world)
    scenes.refused_transfer(world)
    scenes.payment_under_review(world)
    scenes.suspected(world)
    scenes.evidence_file(world)
    scenes.reversal_and_debt(world)
    scenes.open_line(world)
    asked = world.started()
    world.refund(asked)
    contested = world.funded()
    made = world.sandbox.control("POST", "disputes", {"charge": contested.charge_id})
    chargebacks.confirm("stripe", world.provider.read_dispute(made["id"]), world.now)
    saved_methods.save(
        actor=paid.client, method_id=world.browser.new_method("4242424242424242"), make_default=True, now=world.now
    )
    _card_of_paymob(world, job.client)
    payees.give_password(freelancer)
    payees.submit(freelancer, at=world.now)
    payees.add(freelancer, payees.WALLET, kind="wallet", at=world.now - timedelta(days=9))
    payees.add(freelancer, at=world.now)
    _in_egypt(world, freelancer)
    scenes.event(world, object_id=str(paid.payment.provider_payment_id))
    now = timezone.now()
    IdempotencyRecord.objects.create(
        user_id=user_id(paid.client), key="k", endpoint="e", request_hash="h", request_key="0" * 32, created_at=now,
        state=IdempotencyState.DONE, response_status=200, response_body="{}", locked_until=now,
    )  # fmt: skip
    AdjustmentReversal.objects.create(
        adjustment=Adjustment.objects.latest("pk"), account=world.account(freelancer), provider="stripe",
        provider_reversal_id="trr_1", amount_minor=1, currency="USD", created_at=now,
    )  # fmt: skip
    LoginAttempt.objects.create(identifier="somebody", ip="203.0.113.7", attempted_at=now)
    PollPosition.objects.create(name="disputes")
    notices.collect(now=world.now)
    statements.publish(now=world.now)
    assert Notice.objects.exists()
    return [job.client, asked.freelancer, freelancer]


def _card_of_paymob(world: World, client: Actor) -> None:
    customer = Customer.objects.create(user_id=user_id(client), provider="paymob", created_at=world.now)
    card = SavedMethod.objects.create(
        customer=customer, provider="paymob", provider_method_id="50001", kind="card", brand="Visa", last4="1111",
        created_at=world.now,
    )  # fmt: skip
    CardToken.objects.create(method=card, encrypted="under no key", saved_at=world.now)


def _in_egypt(world: World, freelancer: Actor) -> None:
    """Money in EGP, of which a part waits to be paid out, and a top-up of the budget."""
    amount = Money(50_000, "EGP")
    asked = adjustments.adjust(
        actor=world.staff(), user_id=user_id(freelancer), amount=amount, note="A gift", now=world.now
    )
    approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=True, now=world.now)
    for due in adjustments.due(now=world.now):
        adjustments.make_available(adjustment_id=due, now=world.now)
    current = identity.current(user_id(freelancer))
    assert current is not None
    identity.confirm(
        actor=world.staff("support"), identity_id=current.pk, national_id=payees.NATIONAL_ID, note="Seen",
        now=world.now,
    )  # fmt: skip
    withdrawals.create(actor=freelancer, amount=Money(20_000, "EGP"), now=world.now)
    file = budget_records.RecordFile(name="top-up.pdf", content_type="application/pdf", content=b"%PDF-1.7")
    budget_records.top_up(
        actor=world.staff(), provider="paymob", amount=Money(10_000, "EGP"), happened_on=world.now.date(),
        reference="T-1", note="March", file=file, now=world.now,
    )  # fmt: skip
    payees.submit(freelancer, at=world.now)
    rate_limits.take("paymob_budget", most=1, period=timedelta(minutes=1))


# -- filling


def text_columns() -> Iterator[tuple[type[models.Model], Any]]:
    """Every column of ours that keeps text or JSON."""
    for model in apps.get_models():
        if model.__module__.startswith("multitask."):
            for field in model._meta.concrete_fields:
                is_text = isinstance(field, models.CharField | models.TextField | models.JSONField)
                # A currency is written from Money alone, a provider's name from the settings.
                is_word = field.name.endswith("currency") or field.name == "provider"
                if is_text and not is_word and str(field) not in NO_TEXT:
                    yield model, field


def fill(text: str) -> set[str]:
    """Write the text into every column that takes it, in the caller's transaction; answer which do."""
    filled = set()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in {model._meta.db_table for model, _field in text_columns()}:
            cursor.execute(f'ALTER TABLE "{table}" DISABLE TRIGGER USER')
    for model, field in text_columns():
        try:
            with transaction.atomic():
                _write(model, field, text)
        except DatabaseError:
            continue  # This column cannot hold it.
        filled.add(str(field))
    return filled


def _write(model: type[models.Model], field: Any, text: str) -> None:
    if isinstance(field, models.JSONField):
        for row in model._default_manager.exclude(**{field.name: None}):
            model._default_manager.filter(pk=row.pk).update(**{field.name: _within(getattr(row, field.name), text)})
        return
    is_alone = field.unique or any(field.name in found.fields for found in _unique(model))
    rows = list(model._default_manager.values_list("pk", flat=True)) if is_alone else []
    if not is_alone:
        model._default_manager.exclude(**{field.name: None}).update(**{field.name: text[: field.max_length]})
    for number in rows:
        mark = f"{number}"
        cut = text[: (field.max_length or len(text) + len(mark)) - len(mark)]
        model._default_manager.filter(pk=number).exclude(**{field.name: None}).update(**{field.name: cut + mark})


def _unique(model: type[models.Model]) -> Iterator[models.UniqueConstraint]:
    return (found for found in model._meta.constraints if isinstance(found, models.UniqueConstraint))


def _within(value: Any, text: str) -> Any:
    """The same shape with the text in place of every text."""
    if isinstance(value, dict):
        return {name: _within(part, text) for name, part in value.items()}
    if isinstance(value, list):
        return [_within(part, text) for part in value]
    return text if isinstance(value, str) else value


# -- visiting


def of_the_pages() -> Iterator[str]:
    """Every address of the pages, for every row that it can name."""
    values: dict[str, list[Any]] = {
        "task_id": list(Task.objects.values_list("pk", flat=True)),
        "application_id": list(Application.objects.values_list("pk", flat=True)),
        "transaction_id": list(HistoryRow.objects.values_list("public_id", flat=True)),
        "withdrawal_id": list(Withdrawal.objects.values_list("public_id", flat=True)),
        "provider": ["stripe", "paymob"],
        "notice_id": list(Notice.objects.values_list("pk", flat=True)),
        "kind": [*account_emails.KINDS, *DestinationKind],
        "destination_id": list(PayoutDestination.objects.values_list("public_id", flat=True)),
        "method_id": list(SavedMethod.objects.values_list("pk", flat=True)),
        "form": ["text", "html"],
        "language": ["en", "ar"],
        "name": ["MQ"],
        "token": ["1-2"],
        "number": [1],
        "key_id": [keys.key_id(keys.public_key())],
    }
    for pattern in pages.urlpatterns:
        if pattern.name == "proof-signature":
            continue  # 64 bytes, no text.
        names = list(pattern.pattern.converters)
        for chosen in itertools.product(*(values[name] for name in names)):
            yield reverse(f"pages:{pattern.name}", kwargs=dict(zip(names, chosen, strict=True)))
    yield "/transactions/?search=one"
    yield "/tasks/?which=mine"


def of_the_api() -> Iterator[str]:
    """Everything that the API lets one read."""
    values: dict[str, list[Any]] = {
        "task_id": list(Task.objects.values_list("pk", flat=True)),
        "escrow_id": list(addresses.Escrow.objects.values_list("pk", flat=True)),
        "refund_id": list(Refund.objects.values_list("pk", flat=True)),
        "dispute_id": list(addresses.Dispute.objects.values_list("pk", flat=True)),
        "destination_id": list(PayoutDestination.objects.values_list("public_id", flat=True)),
        "number": [1],
    }
    for path, operations in document.openapi(urls.api)["paths"].items():
        if "get" in operations:
            given = operations["get"].get("parameters", [])
            names = [each["name"] for each in given if each["in"] == "path"]
            for chosen in itertools.product(*(values[name] for name in names)):
                yield path.format(**dict(zip(names, chosen, strict=True)))


def of_the_office() -> Iterator[str]:
    """Every page of the back office: lists, each row, every action on each row that it may be done to."""
    yield from addresses.FIXED
    yield from addresses.lists()
    for model in addresses.MODELS:
        for row in model._default_manager.only("pk"):
            yield addresses.change(row)
            if model is addresses.Escrow:
                yield addresses.change(row, "?part=record")
    for name in ACTIONS:
        model, _role = addresses.ACTIONS[name]
        numbers = model._default_manager.values_list("pk", flat=True) if model else [None]
        yield from (addresses.action(name, number) for number in numbers)


def answered(browser: Client, found: Iterable[str]) -> Iterator[tuple[Client, str]]:
    """The addresses that show this browser something, a few of each kind."""
    shown: Counter[str] = Counter()
    for address in found:
        kind = re.sub(r"[0-9a-f-]{36}|[0-9]+", "#", address)
        if shown[kind] < MOST_OF_A_KIND and browser.get(address).status_code == 200:
            shown[kind] += 1
            yield browser, address


def complaint(browser: Client, address: str, text: str) -> str | None:
    """Return what is wrong with a response, or None."""
    try:
        answer = browser.get(address)
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        shown = body.decode()
    except Exception as error:  # What a server would answer 500 to.
        return f"{address}: {type(error).__name__}: {error}"[:300]
    kind = answer.headers.get("Content-Type", "")
    if answer.status_code >= 500:
        return f"{address}: {answer.status_code}"
    if "html" in kind and (RAW in shown or ("{{" in text and "14{" in shown)):
        return f"{address}: the text runs"
    if "json" in kind:
        json.loads(shown)
    if "csv" in kind:
        cells = [cell for row in csv.reader(io.StringIO(shown.lstrip("\ufeff"))) for cell in row]
        formulas = [cell for cell in cells if cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n"))]
        return f"{address}: formulas {formulas[:3]}" if formulas else None
    return None


def faulty_emails() -> Iterator[str]:
    """Write every email as the mail server gets it; say which could not be."""
    for notice in Notice.objects.select_related("user"):
        try:
            message = emails.compose(notice)
            message.to = ["ada@example.com"]  # What is no address is refused by the mail server, once and for all.
            message.message().as_bytes()
        except Exception as error:
            yield f"notice {notice.kind}: {type(error).__name__}: {error}"
    for user, kind in itertools.product(User.objects.all()[:2], account_emails.KINDS):
        try:
            with mail.in_language_of(user):
                account_emails.written(
                    user,
                    account_emails.message_text(kind, user, "ada@example.com"),
                    message_id="x",
                    to="ada@example.com",
                )
        except Exception as error:
            yield f"letter {kind}: {type(error).__name__}: {error}"


def test_every_page_answers_whatever_the_rows_hold(world: World, people: list[Actor], sign_in: SignIn) -> None:
    browsers = [sign_in(person) for person in people]
    office = sign_in(world.staff("admin"))
    empty = [model._meta.label for model, _field in text_columns() if not model._default_manager.exists()]
    assert not empty, "rows of every kind are needed"
    wrong: dict[str, list[str]] = {}
    visits = [*answered(office, [*of_the_office(), *of_the_api()]), *answered(Client(), of_the_pages())]
    for browser in browsers:
        # Emails look alike to everybody.
        visits += answered(browser, [*(page for page in of_the_pages() if "/dev/" not in page), *of_the_api()])
    assert len(visits) > 200
    for (name, text), language in zip(TEXTS.items(), itertools.cycle(["en", "ar"])):
        with transaction.atomic():
            fill(text)
            for browser in (office, *browsers):
                browser.cookies["django_language"] = language
            found = {complaint(browser, address, text) for browser, address in visits} | set(faulty_emails())
            wrong[name] = sorted(each for each in found if each)
            translation.deactivate()
            transaction.set_rollback(True)
    assert not {name: found[:10] for name, found in wrong.items() if found}
