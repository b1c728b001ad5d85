"""Answers that are written as JSON by hand: the same as the schema and the ORM would make them."""

import json
import random
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from django.db import connection
from ninja.responses import NinjaJSONEncoder

from multitask.money import Currency, Money
from multitask.payments.models import Escrow, HistoryRow, Refund, Withdrawal
from multitask.payments.reads import wallet
from multitask.payments.reads.wallet import Filter
from multitask.users.actor import Actor
from multitask.web.api.payments.escrow import EscrowDetailOut
from multitask.web.api.payments.wallet import _DIGITS, HistoryOut, WalletOut, show_row
from multitask.web.api.schemas import Page, moment_out
from tests.acceptance.clients import Caller
from tests.payments_world import Job, World, dollars, user_id

HISTORY: Final = "/payments/wallet/transactions/"
Login = Callable[[Actor], Caller]


def eventful(world: World) -> Job:
    job = world.completed()
    world.refund(job, job.freelancer, dollars("20.00"))
    world.work()
    world.release(job)
    world.work()
    world.settle(job)
    world.arrive(world.withdrawn(job.freelancer, dollars("30.00")))
    return job


def add_random_rows(job: Job, seed: int, number: int) -> None:
    """Add rows of every kind, with text that JSON has to escape, to the history of the freelancer."""
    dice = random.Random(seed)
    person, client = user_id(job.freelancer), user_id(job.client)
    text = ["plain", 'quo"ted', "back\\slash", "لوحة", "emoji 🎨 </script>", "tab\tline\nend"]
    for index in range(number):
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=dice.choice([0, 1, 999, 1000, 123_456, 999_999]))
        kind = dice.choice(["escrow_deposit", "escrow_release", "platform_fee", "refund", "withdrawal", "adjustment"])
        HistoryRow.objects.create(
            public_id=uuid.uuid4(), user_id=person, type=kind, direction=dice.choice(["in", "out", "neutral"]),
            status=dice.choice(["pending", "completed", "failed", "cancelled"]),
            amount_minor=dice.choice([1, 9, 10, 99, 100, 12_345, 10**15]), fee_minor=dice.choice([0, 1, 5, 20_000]),
            currency=dice.choice(["USD", "JPY", "KWD", "EUR"]),
            escrow=dice.choice([job.escrow, None]),
            refund=dice.choice([Refund.objects.first(), None]),
            withdrawal=dice.choice([Withdrawal.objects.first(), None]),
            sender_id=dice.choice([person, client, None]), recipient_id=dice.choice([person, client, None]),
            reference=f"random:{index}", description=dice.choice(text), failure_reason=dice.choice(["", *text]),
            created_at=at + timedelta(seconds=index), processed_at=dice.choice([None, at]),
        )  # fmt: skip


def as_json(found: Any) -> Any:
    return json.loads(json.dumps(found.model_dump(), cls=NinjaJSONEncoder))


@pytest.mark.parametrize("seed", range(3))
def test_history_is_what_the_orm_and_the_schema_make_of_it(world: World, call_as: Login, seed: int) -> None:
    job = eventful(world)
    Escrow.objects.filter(pk=job.escrow.pk).update(netted_minor=0)
    add_random_rows(job, seed, 60)
    caller, person = call_as(job.freelancer), user_id(job.freelancer)
    filters = [Filter(), Filter(type="escrow_release"), Filter(status="failed", currency="JPY"), Filter(currency="GBP")]
    for wanted in filters:
        named = {"type": wanted.type, "status": wanted.status, "currency": wanted.currency}
        asked = {name: value for name, value in named.items() if value}
        for number, size in [(1, 20), (2, 7), (1, 100), (9, 50)]:
            rows, count = wallet.page(person, wanted, offset=(number - 1) * size, size=size)
            answer = caller.get(HISTORY, {**asked, "page": number, "page_size": size})
            assert answer.json["results"] == [as_json(show_row(row)) for row in rows]
            assert answer.json["count"] == count
            assert Page[HistoryOut].model_validate(answer.json)
            assert (answer.json["next"] is not None) is (number * size < count)


def test_wallets_and_escrows_have_exactly_the_documented_fields(world: World, call_as: Login) -> None:
    job = eventful(world)
    for actor in (job.client, job.freelancer):
        caller = call_as(actor)
        for path, schema in (("/payments/wallet/", WalletOut), (f"/payments/escrow/{job.escrow.pk}/", EscrowDetailOut)):
            answer = caller.get(path)
            assert as_json(schema.model_validate(answer.json)) == answer.json
            assert answer.headers["Content-Type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize("currency", [each.code for each in Currency.all() if each.decimals != 2] + ["USD", "EGP"])
def test_amounts_are_written_as_by_money(db: None, currency: str) -> None:
    for minor in (0, 1, -1, 9, 10, 99, 100, 101, 12_345, -12_345, 2**63 - 1, -(2**63 - 1)):
        with connection.cursor() as cursor:
            cursor.execute("SELECT api_amount(%s::bigint, %s, %s::jsonb)", [minor, currency, _DIGITS])
            assert cursor.fetchone() == (Money(minor, currency).to_major_string(),)


@pytest.mark.parametrize("microsecond", [0, 1, 999, 1_000, 1_999, 123_456, 999_999])
def test_moments_are_written_as_by_the_encoder(db: None, microsecond: int) -> None:
    at = datetime(2026, 2, 3, 4, 5, 6, microsecond, tzinfo=UTC)
    written = json.loads(json.dumps(at, cls=NinjaJSONEncoder))
    with connection.cursor() as cursor:
        cursor.execute("SELECT api_moment(%s)", [at])
        assert cursor.fetchone() == (written,)
    assert moment_out(at) == written
