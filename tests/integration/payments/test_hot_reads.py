"""The hand-written reads: what they touch does not grow, whoever has how much, and preparing changes no answer."""

import json
from concurrent.futures import ThreadPoolExecutor
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, connections, transaction

from multitask.database.base import NEVER_BY_ITSELF, DatabaseWrapper
from multitask.payments.models import EscrowedTotal
from multitask.payments.reads import escrow_detail, pending_reasons, wallet, wallet_views
from multitask.payments.reads.allocation import Place
from multitask.users.actor import Actor
from tests.payments_world import Job, World, dollars, user_id

# Escrows by direct inserts, since thousands take too long by commands. They are rolled back: no ledger knows them.
MANY = """
WITH milestones AS (
    INSERT INTO payments_milestone (public_id, agreement_id, position, title, amount_minor, state, created_at)
    SELECT gen_random_uuid(), agreement_id, %(first)s + number, title, amount_minor, 'funded', created_at
      FROM payments_milestone, generate_series(1, %(number)s) AS number WHERE id = %(milestone)s
    RETURNING id)
INSERT INTO payments_escrow (
       public_id, agreement_id, milestone_id, client_id, freelancer_id, provider, provider_payment_id, currency,
       total_minor, fee_basis_points, fee_minor, freelancer_minor, auto_release_days, refund_answer_days, share_step,
       route, released_minor, released_fee_minor, refunded_minor, charged_back_minor, returned_minor, netted_minor,
       contested_minor, reclaimed_minor, reclaimed_fee_minor, state, created_at, funded_at, dispute_reason, release_key)
SELECT gen_random_uuid(), agreement_id, milestones.id, client_id, freelancer_id, provider, '', currency,
       total_minor, fee_basis_points, fee_minor, freelancer_minor, auto_release_days, refund_answer_days, share_step,
       route, 0, 0, 0, 0, 0, 0, 0, 0, 0, %(state)s, created_at, funded_at, '', ''
  FROM payments_escrow, milestones WHERE payments_escrow.id = %(escrow)s
"""
PLENTY = 4_000


def multiply(job: Job, number: int, state: str, *, first: int) -> None:
    values = {"escrow": job.escrow.pk, "milestone": job.escrow.milestone_id, "number": number, "first": first}
    with connection.cursor() as cursor:
        cursor.execute(MANY, values | {"state": state})
        cursor.execute("ANALYZE payments_escrow, payments_milestone, payments_escrowedtotal")


def blocks(actor: Actor) -> int:
    """How many blocks of the database one reading of a wallet touches, once it is planned."""
    found = []
    with connection.cursor() as cursor:
        for _ in range(3):
            cursor.execute(
                "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT payments_wallet(%s, 'stripe')", [user_id(actor)]
            )
            ((answer,),) = cursor.fetchall()
            plan = (json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]
            found.append(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
    return min(found)


def test_a_wallet_touches_no_more_however_many_escrows_are_open_and_whoever_has_them(world: World) -> None:
    busy, idle = world.started(), world.started()
    with transaction.atomic():
        # One client with all the closed escrows, which are older than the open ones.
        multiply(busy, PLENTY, "refunded", first=10)
        multiply(busy, 200, "funded", first=PLENTY + 10)
        some = blocks(busy.client)
        multiply(busy, PLENTY, "funded", first=PLENTY + 300)
        held = {
            actor: wallet.balances(user_id=user_id(actor), default_currency="USD")[0].escrowed.amount_minor
            for actor in (busy.client, busy.freelancer, idle.client)
        }
        many = [blocks(actor) for actor in (busy.client, busy.freelancer)]
        none = blocks(idle.client)
        transaction.set_rollback(True)
    assert list(held.values()) == [10_000 * (PLENTY + 201)] * 2 + [10_000]
    # Fifty escrows are explained, with a few lookups each, which go a level deeper in a larger index. Reading all
    # PLENTY of them would touch two hundred blocks of the table alone.
    assert max(many) < some + 170 < 1_000
    assert none < 60


# Every second one of the other payee, and half of them settled, so that rows of one payee lie scattered.
SCATTERED = """
UPDATE payments_escrow SET released_minor = total_minor,
       freelancer_id = CASE id % 2 WHEN 0 THEN freelancer_id ELSE {other} END,
       made_available_at = CASE WHEN id % 8 < 4 THEN created_at END
 WHERE state = 'released'
"""


def test_a_wallet_does_not_read_the_pending_money_of_others_however_unevenly_it_is_divided(world: World) -> None:
    busy, other, idle = world.started(), world.started(), world.started()
    with transaction.atomic():
        multiply(busy, PLENTY, "released", first=10)
        with connection.cursor() as cursor:
            cursor.execute(SCATTERED.format(other=user_id(other.freelancer)))
            cursor.execute("ANALYZE payments_escrow")
        touched = [blocks(actor) for actor in (idle.client, idle.freelancer, busy.client)]
        transaction.set_rollback(True)
    # Their one open escrow is explained. All escrows are in hundreds of blocks.
    assert max(touched) < 100


# All held in part, as by chargebacks; two of three are held otherwise, so that they are several rows.
HELD = """
UPDATE payments_escrow SET released_minor = total_minor, contested_minor = 100, released_at = now(),
       made_available_at = now(), frozen_at = CASE WHEN id % 3 = 0 THEN now() END
 WHERE state = 'released'
"""


def test_held_money_is_told_in_full_however_many_shares_are_held(world: World) -> None:
    job = world.started()
    with transaction.atomic():
        multiply(job, 40, "released", first=10)
        with connection.cursor() as cursor:
            cursor.execute(HELD)
        (view,) = wallet_views.read(user_id=user_id(job.freelancer), default_currency="USD", now=world.now)
        listed = pending_reasons.pending_funds(
            user_id=user_id(job.freelancer), account=None, now=world.now, zone=ZoneInfo("UTC")
        )
        transaction.set_rollback(True)
    held = {row.reason.value: row.amount.amount_minor for row in view.where if row.place is Place.CONTESTED}
    assert view.held.contested == dollars("40.00")
    # Thirty are explained, and the rest is one amount.
    assert (sum(held.values()), held["other"]) == (4_000, 1_000)
    assert listed.is_cut


def test_kept_totals_follow_refunds_and_disputes(world: World) -> None:
    job = world.completed()
    world.refund(job, job.freelancer, dollars("20.00"))
    held = [each.escrowed for each in wallet.balances(user_id=user_id(job.client), default_currency="USD")]
    assert held == [dollars("80.00")]  # The refund is reserved, and not paid yet.
    world.work()
    world.release(job)
    kept = EscrowedTotal.objects.filter(user_id__in=[user_id(job.client), user_id(job.freelancer)])
    assert list(kept.values_list("amount_minor", flat=True)) == [0, 0]


LATER = """
ALTER FUNCTION payments_escrow_detail(bigint, uuid, bigint) RENAME TO payments_escrow_detail_of_today;
CREATE FUNCTION payments_escrow_detail(p_id bigint, p_public uuid, p_reader bigint) RETURNS json LANGUAGE sql AS $$
SELECT (found || jsonb_build_object(
           'more', 1,
           'facts', found -> 'facts' || '{"is_new": true}',
           'timeline', (SELECT jsonb_agg(each || '[7]') FROM jsonb_array_elements(found -> 'timeline') AS each)))::json
  FROM CAST(payments_escrow_detail_of_today(p_id, p_public, p_reader) AS jsonb) AS found
$$;
"""


def test_a_process_reads_an_escrow_by_the_function_of_a_later_release(world: World) -> None:
    job = world.released()
    before = escrow_detail.read(job.freelancer, job.escrow.pk, world.now)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(LATER)
        assert escrow_detail.read(job.freelancer, job.escrow.pk, world.now) == before
        transaction.set_rollback(True)


@pytest.mark.django_db(transaction=True)
def test_preparing_statements_changes_no_answer(world: World) -> None:
    job, now = world.released(), world.now

    def answers() -> list[object]:
        person = user_id(job.freelancer)
        views = wallet_views.read(user_id=person, default_currency="USD", now=now)
        return [views, escrow_detail.read(job.freelancer, job.escrow.pk, now)]

    def prepared() -> tuple[list[list[object]], int]:
        try:
            connection.ensure_connection()
            connection.connection.prepare_threshold = NEVER_BY_ITSELF
            found = [answers() for _ in range(7)]
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%payments_%'")
                return found, cursor.fetchone()[0]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as other:
        found, statements = other.submit(prepared).result()
    assert found == [answers()] * 7
    assert statements == 2


def test_statements_are_prepared_only_where_the_setting_allows_it() -> None:
    for setting, threshold in ((False, None), (True, NEVER_BY_ITSELF)):
        settings = {**connection.settings_dict, "OPTIONS": {}, "PREPARE": setting}
        assert DatabaseWrapper(settings).get_connection_params()["prepare_threshold"] == threshold
