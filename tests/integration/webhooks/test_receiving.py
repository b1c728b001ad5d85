"""An event is stored once with one job, whatever the number of deliveries; unsigned ones are refused."""

import json
import threading
from io import BytesIO
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from pytest_django import Settings

from multitask.users.models import User
from multitask.webhooks import storage, views
from multitask.webhooks.models import EventState, IncomingEvent
from tests import staff
from tests.integration.webhooks.conftest import CONNECT_SECRET, URL, Post, make_event, sign


@pytest.mark.django_db
def test_an_event_is_stored_with_its_job(post: Post) -> None:
    event = make_event()

    answer = post(event)

    stored = IncomingEvent.objects.get()
    job = ProcrastinateJob.objects.get()
    assert (answer.status_code, answer.json()) == (200, {"received": True, "duplicate": False})
    assert (stored.provider, stored.event_id, stored.kind) == ("stripe", event["id"], "payment_intent.succeeded")
    assert (stored.subject, stored.object_id, stored.state) == ("payment", "pi_1", EventState.RECEIVED)
    assert json.loads(stored.payload) == event, "it holds nothing about people"
    assert (job.task_name, job.queue_name, job.args, job.status) == (
        "process_webhook",
        "webhooks",
        {"event_id": stored.pk},
        "todo",
    )


@pytest.mark.django_db
def test_of_people_nothing_is_stored(post: Post) -> None:
    person = {"name": "Mona Ali", "email": "mona@example.com", "phone": "+201098765432", "address": {"city": "Cairo"}}
    verified = {"first_name": "Mona", "dob": {"day": 1, "month": 2, "year": 1990}, "ssn_last_4_provided": True}
    charge = {"id": "ch_1", "billing_details": person, "receipt_email": person["email"], "amount": 8_500}
    card = {"brand": "visa", "last4": "4242", "exp_year": 2031, "fingerprint": "fp_1"}
    failure = {"code": "incorrect_number", "message": "Your number 4111 1111 1111 1111 is wrong."}
    given = {"individual": verified, "latest_charge": charge, "card": card, "last_payment_error": failure}

    assert (
        post(make_event(**given, metadata={"reference": "create_payment:1:1", "note": person["name"]})).status_code
        == 200
    )

    stored = IncomingEvent.objects.get().payload
    kept = json.loads(stored)["data"]["object"]
    assert kept["latest_charge"]["id"] == "ch_1"
    assert kept["latest_charge"]["amount"] == 8_500
    assert kept["metadata"] == {"reference": "create_payment:1:1", "note": "…"}
    assert kept["card"] == {"brand": "visa", "last4": "…4242", "exp_year": "…", "fingerprint": "…"}
    assert kept["last_payment_error"] == {"code": "incorrect_number", "message": "…"}
    assert kept["individual"]["ssn_last_4_provided"] is True
    for personal in ("Mona", "mona@", "201098765432", "Cairo", "1990", "4111"):
        assert personal not in stored


DEEP = "[" * 600 + "7" + "]" * 600


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("note", "shown"),
    [
        (r'{"\ud800 and \udfff\ud800": 1}', r"\ud800 and \udfff\ud800"),
        (r'{"\udc00": {"client_secret": "pi_1_secret_9\ud800"}}', r"\udc00"),
        (DEEP, "["),
        (f'[{DEEP}, {{"client_secret" : "pi_1_secret_9"}}]', "["),
    ],
    ids=["half a surrogate pair", "in a name and a secret", "deep", "deep with a secret"],
)
def test_whatever_json_may_hold_its_page_shows_it_without_secrets(post: Post, note: str, shown: str) -> None:
    body = json.dumps(make_event(note="here")).replace('"here"', note).encode()
    assert post(body).status_code == 200
    event = IncomingEvent.objects.get()
    assert "secret_9" not in event.payload

    browser, admin = Client(), User.objects.create_superuser("root", "root@example.com")
    browser.force_login(admin, backend="multitask.users.backends.UsernameOrEmailBackend")
    staff.prove(browser, admin)
    page = browser.get(reverse("admin:webhooks_incomingevent_change", args=[event.pk]))
    assert page.status_code == 200
    laid_out = "".join(page.content.decode().split()) if note.startswith("[") else page.content.decode()
    assert shown in laid_out
    assert "secret_9" not in laid_out


@pytest.mark.django_db
def test_a_second_delivery_changes_nothing(post: Post) -> None:
    event = make_event()
    post(event)

    answer = post(event)

    assert answer.json() == {"received": True, "duplicate": True}
    assert (IncomingEvent.objects.count(), ProcrastinateJob.objects.count()) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_twenty_deliveries_at_once_store_one_event_and_one_job() -> None:
    body = json.dumps(make_event()).encode()
    header = sign(body)
    barrier = threading.Barrier(20)
    answers: list[Any] = []

    def deliver() -> None:
        barrier.wait(timeout=30)
        try:
            answers.append(
                Client().post(URL, body, content_type="application/json", headers={"Stripe-Signature": header}).json()
            )
        finally:
            connection.close()

    threads = [threading.Thread(target=deliver) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert sorted(answer["duplicate"] for answer in answers) == [False] + [True] * 19
    assert (IncomingEvent.objects.count(), ProcrastinateJob.objects.count()) == (1, 1)


@pytest.mark.django_db
def test_a_delivery_is_one_statement(post: Post) -> None:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        post(make_event())

    assert len(queries) == 1, [query["sql"] for query in queries]


@pytest.mark.django_db
def test_the_job_is_the_one_that_procrastinate_itself_defers(post: Post) -> None:
    post(make_event())
    stored = IncomingEvent.objects.get()
    found = ProcrastinateJob.objects.values(
        "task_name", "queue_name", "args", "priority", "lock", "queueing_lock", "status", "scheduled_at", "attempts"
    )
    (ours,) = list(found)
    ProcrastinateJob.objects.all()._raw_delete("default")

    lock = f"stripe {stored.subject} {stored.account_id} {stored.object_id}"
    with transaction.atomic():
        app.configure_task("process_webhook", queue="webhooks", queueing_lock=lock).defer(event_id=stored.pk)

    assert found.get() == ours
    with transaction.atomic():
        storage.defer(stored.pk)
    assert found.get() == ours


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["invoice.paid", "payout.paid", "balance.available"])
def test_an_event_that_changes_nothing_is_kept_without_a_job(post: Post, kind: str) -> None:
    assert post(make_event(kind)).status_code == 200
    assert IncomingEvent.objects.get().state == EventState.IGNORED
    assert not ProcrastinateJob.objects.exists()


@pytest.mark.django_db
def test_an_accounts_event_comes_under_the_connect_secret(post: Post) -> None:
    post(make_event("account.updated", account="acct_1"), secret=CONNECT_SECRET)

    stored = IncomingEvent.objects.get()
    assert (stored.state, stored.account_id, stored.object_id) == (EventState.RECEIVED, "acct_1", "acct_1")


@pytest.mark.django_db
@pytest.mark.parametrize(("account", "secret"), [("acct_1", None), ("", CONNECT_SECRET)])
def test_an_event_under_the_other_endpoints_secret_is_quarantined(post: Post, account: str, secret: str | None) -> None:
    event = make_event("account.updated" if account else "payment_intent.succeeded", account=account)

    answer = post(event, secret=secret) if secret else post(event)

    stored = IncomingEvent.objects.get()
    assert answer.status_code == 200
    assert stored.state == EventState.QUARANTINED
    assert "secret" in stored.last_error
    assert not ProcrastinateJob.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "signature", "code"),
    [
        (b"{}", "", "signature_missing"),
        (b"{}", "t=1,v1=00", "signature_expired"),
        (b"{}", "t=99999999999,v1=00", "signature_in_future"),
        (b"{}", "t=\xe9,v1=\xe9", "signature_malformed"),
        (b"{}", "t=1" + ",v1=00" * 100_000, "signature_malformed"),
        (b"[]", None, "not_an_event"),
        (b"{}", None, "not_an_event"),
        (b"", None, "not_an_event"),
    ],
    ids=["missing", "old", "future", "non-ascii", "many", "array", "empty object", "empty body"],
)
def test_a_delivery_that_proves_nothing_is_refused(post: Post, body: bytes, signature: str | None, code: str) -> None:
    answer = post(body, signature=signature)

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert answer.json()["error"]
    assert not IncomingEvent.objects.exists()
    assert not ProcrastinateJob.objects.exists()


@pytest.mark.django_db
def test_a_live_event_is_refused_in_test_mode(post: Post) -> None:
    answer = post({**make_event(), "livemode": True})

    assert (answer.status_code, answer.json()["code"]) == (400, "livemode_mismatch")


@pytest.mark.django_db
def test_without_secrets_nothing_is_accepted(post: Post, settings: Settings) -> None:
    settings.STRIPE_WEBHOOK_SECRET = settings.STRIPE_CONNECT_WEBHOOK_SECRET = ""

    assert post(make_event(), secret="").status_code == 400


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch", "head"])
def test_only_post_is_answered(client: Client, method: str) -> None:
    answer = getattr(client, method)(URL)

    assert (answer.status_code, answer["Allow"]) == (405, "POST")


def test_a_large_body_is_refused_unread(client: Client) -> None:
    answer = client.post(URL, b" " * 1_000_001, content_type="application/json", headers={"Stripe-Signature": "t=1"})

    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_no_csrf_token_is_asked_for(settings: Settings) -> None:
    answer = Client(enforce_csrf_checks=True).post(URL, b"{}", content_type="application/json")

    assert answer.json()["code"] == "signature_missing"


@pytest.mark.django_db(transaction=True)
def test_an_event_that_may_not_outlive_a_failover_is_asked_for_again(post: Post) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            CREATE FUNCTION warn_of_replication() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE WARNING 'canceling wait for synchronous replication due to user request';
                RETURN NEW;
            END $$;
            CREATE TRIGGER warn AFTER INSERT ON webhooks_incomingevent EXECUTE FUNCTION warn_of_replication();
            """
        )
    event = make_event()

    first = post(event)
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER warn ON webhooks_incomingevent; DROP FUNCTION warn_of_replication")
    second = post(event)

    assert (first.status_code, first.json()["code"]) == (503, "try_again")
    assert second.json() == {"received": True, "duplicate": True}
    assert (IncomingEvent.objects.count(), ProcrastinateJob.objects.count()) == (1, 1)


def test_the_view_itself_refuses_a_large_body_unread() -> None:
    request = RequestFactory().post(URL, b"{}", content_type="application/json", CONTENT_LENGTH="1000001")

    answer = views.receive(request, "stripe")

    assert (answer.status_code, json.loads(answer.content)["code"]) == (413, "body_too_large")


def test_a_body_that_ends_early_is_refused() -> None:
    class Ending(BytesIO):
        def read(self, *_: Any) -> bytes:
            raise OSError("the connection was reset")

    request = RequestFactory().post(URL, b"{}", content_type="application/json")
    request._stream = Ending()

    answer = views.receive(request, "stripe")

    assert (answer.status_code, json.loads(answer.content)["code"]) == (400, "body_unreadable")


@pytest.mark.django_db(transaction=True)
def test_a_database_that_refuses_is_asked_again_later(post: Post) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE webhooks_incomingevent RENAME TO hidden")
    try:
        answer = post(make_event())
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE hidden RENAME TO webhooks_incomingevent")

    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "try_again", "5")
