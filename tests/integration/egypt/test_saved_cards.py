"""Saved cards of Paymob: a signed callback brings the token, our side stores it encrypted and offers it again."""

import json
import logging
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.db import connection
from django.test import Client
from pytest_django import Settings

from multitask.payments.errors import NotFound, WrongState
from multitask.payments.funding import saved_methods
from multitask.payments.models import AuditEvent, CardToken, Customer, Operation, SavedMethod
from multitask.payments.payouts import encryption
from multitask.users.actor import Actor
from multitask.users.models import User
from multitask.webhooks import incoming
from multitask.webhooks.models import EventState, IncomingEvent
from tests import canaries
from tests.acceptance.clients import Caller
from tests.egypt_world import EgyptWorld, pounds
from tests.integration import races
from tests.integration.egypt.test_callbacks import body_of, post
from tests.payments_world import Job, user_id

MASTERCARD, VISA, OTHER = "5123456789012346", "4111111111111111", "5123450000000008"
Answer = dict[str, Any]


def asked(world: EgyptWorld, client: Actor) -> Job:
    job = world.hired(pounds("1000.00"), client=client)
    world.ask_to_pay(job)
    return job


def sent(world: EgyptWorld, kind: str = "TOKEN") -> list[Answer]:
    """The callbacks of a kind that the provider has sent, oldest first."""
    events = [each["object"] for each in world.paymob.objects("event") if each["object"]["type"] == kind]
    return sorted(events, key=lambda each: each["body"]["obj"]["id"])


def token_of(world: EgyptWorld, job: Job, card: str = MASTERCARD) -> Answer:
    """Pay there and let the provider keep the card; return what its callback says of it."""
    world.pay_there(job, card=card, save=True)
    world.learn_of_payment(job)
    return dict(sent(world)[-1]["body"]["obj"])


def receive(client: Client, card: Answer, **changes: Any) -> IncomingEvent:
    """Receive a signed callback about a card."""
    body, signature = body_of({**card, **changes}, "TOKEN")
    assert post(client, body, signature).status_code == 200
    return IncomingEvent.objects.order_by("-pk")[0]


def saved(world: EgyptWorld, client: Client, payer: Actor, card: str = MASTERCARD, **changes: Any) -> SavedMethod:
    token = token_of(world, asked(world, payer), card)
    event = receive(client, token, **changes)
    assert (event.state, event.last_error) == (EventState.PROCESSED, "")
    return saved_methods.owned(payer).get(provider_method_id=str(token["id"]))


def offered(world: EgyptWorld, payer: Actor) -> list[str]:
    """The last digits of the cards that the page of the client's next payment offers."""
    job = asked(world, payer)
    there = [each["object"] for each in world.paymob.objects("intention")]
    (page,) = [each for each in there if str(each["intention_order_id"]) == job.payment.provider_payment_id]
    cards = [each["object"] for each in world.paymob.objects("card_token")]
    known = {each["token"]: each["masked_pan"][-4:] for each in cards}
    return [known[token] for token in page["card_tokens"]]


def test_a_card_that_the_payer_lets_paymob_keep_is_offered_again_and_pays(world: EgyptWorld, client: Client) -> None:
    payer = world.client()
    method = saved(world, client, payer)
    assert (method.kind, method.brand, method.last4, method.provider) == ("card", "MasterCard", "2346", "paymob")
    assert AuditEvent.objects.get(event="method_saved").user_id == payer.user_id

    assert offered(world, payer) == ["2346"]
    assert offered(world, world.client()) == []

    job = asked(world, payer)
    token = sent(world)[-1]["body"]["obj"]["token"]
    world.pay_there(job, method="token", token=token)
    world.learn_of_payment(job)
    assert job.escrow.state == "funded"


def test_up_to_three_cards_are_offered_the_default_first_then_the_newest(world: EgyptWorld, client: Client) -> None:
    payer = world.client()
    first = saved(world, client, payer)
    for card in (VISA, OTHER):
        saved(world, client, payer, card)
    assert offered(world, payer) == ["0008", "1111", "2346"]
    saved(world, client, payer, "4000000000005126")
    assert offered(world, payer) == ["5126", "0008", "1111"]
    saved_methods.set_default(actor=payer, method_id=first.pk, now=world.now)
    assert offered(world, payer) == ["2346", "5126", "0008"]


def test_the_same_card_saved_again_has_one_token_the_newest(world: EgyptWorld, client: Client) -> None:
    payer = world.client()
    first = token_of(world, asked(world, payer))
    receive(client, first)
    old = saved_methods.owned(payer).get()
    saved_methods.set_default(actor=payer, method_id=old.pk, now=world.now)

    again = saved(world, client, payer)

    assert list(saved_methods.owned(payer)) == [again]
    assert CardToken.objects.get().method_id == again.pk
    assert Customer.objects.get(user_id=payer.user_id).default_method_id == again.provider_method_id
    assert offered(world, payer) == ["2346"]
    # An older one that comes late, and differs from the one that was received.
    late = receive(client, first, id=int(first["id"]) + 900)
    assert (late.state, late.last_error) == (EventState.IGNORED, "The card was saved again since.")
    assert list(saved_methods.owned(payer)) == [again]


def test_callbacks_in_the_wrong_order_leave_the_newest_token(world: EgyptWorld, client: Client) -> None:
    payer = world.client()
    first = token_of(world, asked(world, payer))
    second = token_of(world, asked(world, payer))
    for card in (second, first):
        receive(client, card)
    assert saved_methods.owned(payer).get().provider_method_id == str(second["id"])


def test_a_removed_card_is_not_offered_and_does_not_come_back(world: EgyptWorld, client: Client) -> None:
    payer = world.client()
    token = token_of(world, asked(world, payer))
    receive(client, token)
    method = saved_methods.owned(payer).get()

    saved_methods.delete(actor=payer, method_id=method.pk, now=world.now + timedelta(hours=1))

    assert not CardToken.objects.exists()
    assert AuditEvent.objects.filter(event="method_deleted").count() == 1
    assert offered(world, payer) == []
    body, signature = body_of(token, "TOKEN")
    assert post(client, body, signature).json() == {"received": True, "duplicate": True}
    assert receive(client, token, email=str(token["email"]).upper()).last_error == "The card was removed since."
    assert not saved_methods.owned(payer).exists()
    with pytest.raises(NotFound):
        saved_methods.delete(actor=payer, method_id=method.pk, now=world.now)

    later = receive(client, token, created_at="2037-01-01T00:00:00")
    assert later.state == EventState.PROCESSED, "saved again, whether under a new id or the same"
    assert saved_methods.owned(payer).get().pk == method.pk
    assert offered(world, payer) == ["2346"]


def test_nobody_elses_card_can_be_removed_or_made_the_default(world: EgyptWorld, client: Client) -> None:
    method = saved(world, client, world.client())
    stranger = world.client()
    with pytest.raises(NotFound):
        saved_methods.delete(actor=stranger, method_id=method.pk, now=world.now)
    with pytest.raises(NotFound):
        saved_methods.set_default(actor=stranger, method_id=method.pk, now=world.now)
    assert CardToken.objects.count() == 1


def test_the_client_is_found_by_signed_fields_alone(world: EgyptWorld, client: Client) -> None:
    payer, other = world.client(), world.client()
    token, others = token_of(world, asked(world, payer)), asked(world, other)
    receive(client, token, next_payment_intention="another", user_added=True, extras={"user": user_id(other)})
    assert saved_methods.owned(payer).count() == 1
    # The order alone does not tell: digits moved from one signed field to the next have the same signature.
    order = str(others.payment.provider_payment_id)
    moved = receive(client, token, order_id=order, id=1)
    assert (moved.state, moved.last_error) == (
        EventState.IGNORED,
        "The card was saved under an address that is not the client's.",
    )
    unknown = receive(client, token, order_id=order[2:])
    assert unknown.last_error == "The card was saved with a payment that is not ours."
    assert not saved_methods.owned(other).exists()


FIELDS = ("card_subtype", "created_at", "email", "id", "masked_pan", "merchant_id", "order_id", "token")


@pytest.mark.parametrize("field", FIELDS)
def test_a_card_with_a_field_that_was_tampered_with_is_refused(world: EgyptWorld, client: Client, field: str) -> None:
    token = token_of(world, asked(world, world.client()))
    _, signature = body_of(token, "TOKEN")
    changed = json.dumps({"type": "TOKEN", "obj": token | {field: f"{token[field]}1"}}).encode()
    answer = post(client, changed, signature)
    assert (answer.status_code, answer.json()["code"]) == (400, "signature_mismatch")
    assert not SavedMethod.objects.exists()


@pytest.mark.parametrize(
    "changes",
    [{"token": ""}, {"token": None}, {"token": 5}, {"token": "x" * 256}, {"token": "a\x00b"}, {"order_id": "9/1"}],
)
def test_a_signed_card_that_cannot_be_used_is_held(world: EgyptWorld, client: Client, changes: Answer) -> None:
    event = receive(client, token_of(world, asked(world, world.client())), **changes)
    assert event.state == EventState.QUARANTINED
    assert not SavedMethod.objects.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"masked_pan": None},
        {"masked_pan": 12},
        {"card_subtype": "\x00"},
        {"card_subtype": "V" * 500},
        {"created_at": 7},
    ],
)
def test_what_cannot_be_shown_of_a_card_is_left_out(world: EgyptWorld, client: Client, changes: Answer) -> None:
    payer = world.client()
    method = saved(world, client, payer, **changes)
    assert len(method.brand) <= 40
    assert offered(world, payer) == ["2346"]


def test_a_card_of_another_clients_is_not_taken_over(world: EgyptWorld, client: Client) -> None:
    payer, other = world.client(), world.client()
    mine = saved(world, client, payer)
    theirs = token_of(world, asked(world, other))
    event = receive(client, theirs, id=int(mine.provider_method_id))
    assert (event.state, event.last_error) == (EventState.IGNORED, "The card is another client's.")
    assert saved_methods.owned(payer).get() == mine
    assert not saved_methods.owned(other).exists()


def test_a_card_is_stored_after_the_payers_address_is_written_differently(world: EgyptWorld, client: Client) -> None:
    payer = world.client()
    token = token_of(world, asked(world, payer))
    assert receive(client, token, email=str(token["email"]).upper()).state == EventState.PROCESSED


def test_after_a_refusal_the_payment_is_created_without_saved_cards(world: EgyptWorld, client: Client) -> None:
    payer = world.client()
    saved(world, client, payer, token="forgotten_there")

    job = asked(world, payer)

    assert job.payment.payer_token
    world.pay_there(job)
    world.learn_of_payment(job)
    assert job.escrow.state == "funded"
    assert Operation.objects.get(subject_id=job.payment.pk, kind="create_payment").attempts == 1


def test_a_token_that_no_key_decrypts_keeps_nobody_from_paying(
    world: EgyptWorld, client: Client, settings: Settings
) -> None:
    payer = world.client()
    saved(world, client, payer)
    settings.DESTINATION_KEYS = [Fernet.generate_key().decode()]
    saved(world, client, payer, VISA)
    assert offered(world, payer) == ["1111"]


def test_a_token_that_was_copied_into_another_row_is_not_offered(world: EgyptWorld, client: Client) -> None:
    payer, thief = world.client(), world.client()
    mine = saved(world, client, payer)
    theirs = saved(world, client, thief, VISA)
    CardToken.objects.filter(method=theirs).update(encrypted=CardToken.objects.get(method=mine).encrypted)
    assert offered(world, thief) == []


def test_tokens_are_rotated_with_the_keys(world: EgyptWorld, client: Client, settings: Settings) -> None:
    payer = world.client()
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    settings.DESTINATION_KEYS = [old]
    saved(world, client, payer)
    settings.DESTINATION_KEYS = [new, old]
    call_command("reencrypt_destinations")
    settings.DESTINATION_KEYS = [new]
    assert offered(world, payer) == ["2346"]
    # One that is lost keeps no older key in use.
    CardToken.objects.update(encrypted=encryption.encrypt(uuid.uuid4(), {"token": "another row's"}))
    settings.DESTINATION_KEYS = [old]
    call_command("reencrypt_destinations")


def test_neither_database_nor_log_has_the_token_or_the_payers_address_in_clear(
    world: EgyptWorld, client: Client, office: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("django", "multitask", "urllib3"):
        caplog.set_level(logging.DEBUG, logger=name)
    payer = world.client()
    saved(world, client, payer)
    assert offered(world, payer) == ["2346"]
    saved(world, client, payer, VISA, token="forgotten_there")
    asked(world, payer)

    found = {each["body"]["obj"]["token"] for each in sent(world)} | {"forgotten_there"}
    tokens = {token: token for token in found}
    assert len(tokens) == 3
    assert not canaries.found_in(canaries.dump(), tokens)
    address = User.objects.get(pk=user_id(payer)).email
    assert not canaries.found_in(caplog.text, tokens | {"address": address})
    assert not canaries.found_in("".join(IncomingEvent.objects.values_list("payload", flat=True)), {"at": address})


def test_a_stored_card_event_is_not_processed_again(world: EgyptWorld, client: Client, finance: Actor) -> None:
    event = receive(client, token_of(world, asked(world, world.client())))
    with pytest.raises(WrongState):
        incoming.replay(actor=finance, event_id=event.pk, now=world.now, note="again")
    event.refresh_from_db()
    assert event.state == EventState.PROCESSED


def test_the_api_lists_the_card_and_removes_it(
    world: EgyptWorld, client: Client, call_as: Callable[[Actor], Caller]
) -> None:
    payer = world.client()
    method = saved(world, client, payer)
    caller = call_as(payer)
    (shown,) = caller.get("/payments/payment-methods/").json["results"]
    assert shown["payment_method_id"] == method.provider_method_id
    assert (shown["provider"], shown["stripe_payment_method_id"]) == ("paymob", "")
    assert (shown["type"], shown["brand"], shown["last4"], shown["exp_month"]) == ("card", "MasterCard", "2346", None)
    default = caller.post(f"/payments/payment-methods/{method.pk}/set-default/")
    assert (default.status, default.json["is_default"]) == (200, True)
    assert caller.post(f"/payments/payment-methods/{method.pk}/delete/").status == 200
    assert caller.get("/payments/payment-methods/").json["results"] == []
    assert caller.post(f"/payments/payment-methods/{method.pk}/delete/").status == 404


@pytest.mark.django_db(transaction=True)
def test_callbacks_at_once_store_a_card_once(world: EgyptWorld) -> None:
    payer = world.client()
    token = token_of(world, asked(world, payer))
    other = token_of(world, asked(world, payer))
    body, signature = body_of(token, "TOKEN")
    later, later_signature = body_of(other, "TOKEN")
    sends = [lambda: post(Client(), body, signature), lambda: post(Client(), later, later_signature)]

    answers = races.together(sends * 4)

    assert {answer.status_code for answer in answers} == {200}
    assert sorted(answer.json()["duplicate"] for answer in answers) == [False] * 2 + [True] * 6
    assert saved_methods.owned(payer).get().provider_method_id == str(other["id"])
    assert CardToken.objects.count() == 1
    assert offered(world, payer) == ["2346"]


@pytest.mark.django_db(transaction=True)
def test_a_card_that_is_saved_and_removed_at_once_is_there_or_gone(world: EgyptWorld) -> None:
    payer = world.client()
    method = saved(world, Client(), payer)
    again = token_of(world, asked(world, payer))
    body, signature = body_of(again, "TOKEN")

    def remove() -> str:
        try:
            saved_methods.delete(actor=payer, method_id=method.pk, now=world.now)
        except NotFound:
            return "gone"
        return "removed"

    answers = races.together([lambda: post(Client(), body, signature), remove, remove])

    assert answers[0].status_code == 200
    there = saved_methods.owned(payer).get()
    assert there.provider_method_id == str(again["id"]), "another saving of the card, of which nobody has asked removal"
    assert CardToken.objects.get().method_id == there.pk


def test_neither_the_card_nor_its_event_is_stored_without_the_other(world: EgyptWorld, client: Client) -> None:
    payer = world.client()
    token = token_of(world, asked(world, payer))
    body, signature = body_of(token, "TOKEN")

    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE payments_cardtoken ADD CONSTRAINT refused CHECK (false) NOT VALID")
        assert post(client, body, signature).status_code == 503
        cursor.execute("ALTER TABLE payments_cardtoken DROP CONSTRAINT refused")

    assert not IncomingEvent.objects.exists()
    assert not SavedMethod.objects.exists()
    assert receive(client, token).state == EventState.PROCESSED
    assert offered(world, payer) == ["2346"]
