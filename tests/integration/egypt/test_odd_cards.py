"""Saved cards whose callbacks come late or again in other words, that change at once, or that Paymob does not like."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from multitask.payments.errors import NotFound, ProviderUnavailable
from multitask.payments.funding import saved_methods
from multitask.payments.models import CardToken, Customer, SavedMethod
from multitask.payments.payouts import encryption
from multitask.webhooks.models import EventState, IncomingEvent
from tests import canaries
from tests.egypt_world import EgyptWorld, pounds
from tests.integration.egypt.test_callbacks import body_of, post
from tests.integration.egypt.test_saved_cards import (
    MASTERCARD,
    OTHER,
    VISA,
    Answer,
    asked,
    offered,
    receive,
    saved,
    token_of,
)


def test_a_callback_from_before_a_card_was_removed_does_not_bring_it_back(world: EgyptWorld, client: Client) -> None:
    payer = world.client()
    late, method = token_of(world, asked(world, payer)), saved(world, client, payer)
    saved_methods.delete(actor=payer, method_id=method.pk, now=world.now + timedelta(hours=1))

    event = receive(client, late)

    assert (event.state, event.last_error) == (EventState.IGNORED, "The card was removed since.")
    assert not saved_methods.owned(payer).exists()
    assert offered(world, payer) == []


def test_a_card_that_was_replaced_comes_back_by_a_newer_callback(world: EgyptWorld, client: Client) -> None:
    payer = world.client()
    cards = [token_of(world, asked(world, payer)) for _ in range(3)]
    for card in (cards[0], cards[1], {**cards[2], "id": cards[0]["id"]}):
        assert receive(client, card).state == EventState.PROCESSED
    assert saved_methods.owned(payer).get().provider_method_id == str(cards[0]["id"])


def date_to_brand(card: Answer) -> Answer:
    return {"card_subtype": card["card_subtype"] + card["created_at"][0], "created_at": card["created_at"][1:]}


def number_to_digits(card: Answer) -> Answer:
    number = str(card["id"])
    return {"id": int(number[:-1]), "masked_pan": number[-1] + card["masked_pan"]}


def token_to_order(card: Answer) -> Answer:
    return {"order_id": card["order_id"] + card["token"][:-1], "token": card["token"][-1]}


@pytest.mark.parametrize("moved", [date_to_brand, number_to_digits, token_to_order])
def test_a_repetition_whose_fields_are_divided_differently_is_a_repetition(
    world: EgyptWorld, client: Client, moved: Callable[[Answer], Answer]
) -> None:
    payer = world.client()
    card = token_of(world, asked(world, payer))
    receive(client, card)
    saved_methods.delete(actor=payer, method_id=saved_methods.owned(payer).get().pk, now=timezone.now())
    body, signature = body_of(card | moved(card), "TOKEN")
    assert signature == body_of(card, "TOKEN")[1], "the values are signed without separators"

    assert post(client, body, signature).json() == {"received": True, "duplicate": True}

    assert not saved_methods.owned(payer).exists()
    assert not canaries.found_in(canaries.dump(), {"token": card["token"][:-1]})


@pytest.mark.django_db(transaction=True)
def test_of_two_clients_cards_with_one_number_at_once_only_one_is_stored(world: EgyptWorld) -> None:
    first, second = world.client(), world.client()
    card, other = token_of(world, asked(world, first)), token_of(world, asked(world, second))
    is_stored = threading.Event()

    def store() -> None:
        with transaction.atomic():
            receive(Client(), card)
            is_stored.set()
            waits_for(connection.connection.info.backend_pid)
        connection.close()

    thread = threading.Thread(target=store)
    thread.start()
    assert is_stored.wait(60)
    event = receive(Client(), other, id=card["id"])
    thread.join(60)

    assert (event.state, event.last_error) == (EventState.IGNORED, "The card is another client's.")
    token = CardToken.objects.get()
    assert token.method.customer.user_id == first.user_id
    assert encryption.decrypt(token.public_id, token.encrypted) == {"token": card["token"]}
    assert not saved_methods.owned(second).exists()


def waits_for(backend: int) -> None:
    """Wait until another session waits for this one."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))"
    deadline = timezone.now() + timedelta(seconds=30)
    with connection.cursor() as cursor:
        while timezone.now() < deadline:
            cursor.execute(waiting, [backend])
            if cursor.fetchone()[0]:
                return
    raise AssertionError("nobody waits")


@contextmanager
def then(action: Callable[[], object]) -> Iterator[None]:
    """Let something happen in another session right after the first look at saved cards."""
    waiting = [action]

    def watch(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        found = execute(sql, *rest)
        if 'FROM "payments_savedmethod"' in sql and waiting:
            thread = threading.Thread(target=lambda act: (act(), connection.close()), args=(waiting.pop(),))
            thread.start()
            thread.join(60)
        return found

    with connection.execute_wrapper(watch):
        yield


@pytest.mark.django_db(transaction=True)
def test_a_card_that_is_removed_meanwhile_can_be_removed_and_not_preferred(world: EgyptWorld) -> None:
    payer = world.client()

    def remove(method: SavedMethod) -> None:
        saved_methods.delete(actor=payer, method_id=method.pk, now=world.now)

    method = saved(world, Client(), payer)
    with then(lambda: remove(method)):
        remove(method)
    method = saved(world, Client(), payer)
    with then(lambda: remove(method)), pytest.raises(NotFound):
        saved_methods.set_default(actor=payer, method_id=method.pk, now=world.now)
    assert Customer.objects.get(pk=method.customer_id).default_method_id == ""
    assert not CardToken.objects.exists()


class Refuses(BaseHTTPRequestHandler):
    """A Paymob that has its own answer to an intention with saved cards, and otherwise does as the sandbox does."""

    protocol_version = "HTTP/1.1"
    behind = ""
    status = 0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if "card_tokens" in json.loads(body):
            return self._answer(self.status, b'{"detail": "No."}')
        headers = {name: self.headers[name] for name in ("Authorization", "Content-Type") if self.headers[name]}
        try:
            with urllib.request.urlopen(urllib.request.Request(self.behind + self.path, body, headers)) as reply:
                self._answer(reply.status, reply.read())
        except urllib.error.HTTPError as error:
            self._answer(error.code, error.read())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429, 500, 503])
def test_whatever_paymob_answers_to_a_saved_card_the_client_can_pay(
    world: EgyptWorld, client: Client, settings: Settings, status: int
) -> None:
    payer = world.client()
    saved(world, client, payer)
    job = world.hired(pounds("1000.00"), client=payer)
    handler = type("Handler", (Refuses,), {"behind": world.paymob.base_url, "status": status})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings.PAYMOB_API_BASE = f"http://127.0.0.1:{server.server_port}"
        try:
            world.ask_to_pay(job)
        except ProviderUnavailable:
            world.wait(minutes=2)
            world.ask_to_pay(job)
        server.shutdown()
    settings.PAYMOB_API_BASE = world.paymob.base_url
    world.pay_there(job)
    world.learn_of_payment(job)
    assert job.escrow.state == "funded"
    assert IncomingEvent.objects.count() == 1


def test_of_cards_that_paymob_has_forgotten_each_payment_removes_one(world: EgyptWorld, client: Client) -> None:
    payer = world.client()
    cards = [token_of(world, asked(world, payer), card) for card in (MASTERCARD, VISA, OTHER)]
    for card, token in zip(cards, (cards[0]["token"], "forgotten", "forgotten too"), strict=True):
        receive(client, card, token=token)
    assert saved_methods.owned(payer).count() == 3

    # The newest card is offered first, and the last one is left out first.
    assert [offered(world, payer) for _ in range(3)] == [[], [], ["2346"]]

    assert saved_methods.owned(payer).get().last4 == "2346"
    assert CardToken.objects.count() == 1
