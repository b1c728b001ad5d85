"""Fields that existing clients read: saved cards, totals of the wallet, what an escrow really released."""

from collections.abc import Callable

from multitask.payments.models import SavedMethod
from multitask.users.actor import Actor
from tests.acceptance import clients
from tests.acceptance.clients import Caller
from tests.payments_world import World, dollars

METHODS = "/payments/payment-methods/"
As = Callable[[Actor], Caller]
CARD = {
    "brand": "visa",
    "last4": "4242",
    "exp_year": 2040,
    "card_brand": "visa",
    "card_last4": "4242",
    "card_exp_year": 2040,
    "is_active": True,
    "is_default": True,
}


def save(world: World, caller: Caller) -> dict[str, object]:
    body = {"payment_method_id": world.browser.new_method(), "set_default": True}
    answer = caller.post(f"{METHODS}create/", body)
    assert answer.status == 201, answer.json
    return dict(answer.json)


def test_a_saved_card_is_answered_flat_and_as_an_object(world: World, call_as: As) -> None:
    caller = call_as(world.client())
    saved = save(world, caller)
    card = saved.pop("payment_method")
    assert card == saved == caller.get(METHODS).json["results"][0]
    assert CARD.items() <= saved.items()
    assert saved["card_exp_month"] == saved["exp_month"] is not None


def test_a_card_is_deleted_by_either_method(world: World, call_as: As) -> None:
    caller = call_as(world.client())
    for method, prefix in (("POST", ""), ("DELETE", ""), ("DELETE", "/api")):
        path = f"{prefix}{METHODS}{save(world, caller)['id']}/delete/"
        removed = caller.send(method, path, b"")
        assert (removed.status, removed.json) == (200, {"message": "The card was removed."})
        assert caller.get(METHODS).json["count"] == 0
        again = caller.send(method, path, b"")
        assert (again.status, again.code) == (404, "not_found")
    assert not SavedMethod.objects.filter(detached_at=None).exists()


def test_only_its_owner_deletes_a_card(world: World, call_as: As) -> None:
    owner = call_as(world.client())
    path = f"{METHODS}{save(world, owner)['id']}/delete/"
    assert call_as(world.client()).delete(path).status == 404
    assert clients.visitor().delete(path).status == 401
    assert owner.delete(path, '{"surprise": 1}').status == 422
    assert owner.get(METHODS).json["count"] == 1


def test_the_wallet_totals_what_was_earned_and_spent(world: World, call_as: As) -> None:
    job = world.completed()
    client, freelancer = call_as(job.client), call_as(job.freelancer)
    assert totals(client) == ("0.00", "100.00")
    assert totals(freelancer) == ("0.00", "0.00")

    world.refund(job, actor=job.freelancer, amount=dollars("30.00"))
    assert totals(client) == ("0.00", "100.00")
    world.work()
    assert totals(client) == ("0.00", "70.00")

    world.release(job)
    world.work()
    assert totals(client) == ("0.00", "70.00")
    assert totals(freelancer) == ("59.50", "0.00")

    world.settle(job)
    world.withdraw(job.freelancer, dollars("20.00"))
    assert totals(freelancer) == ("59.50", "0.00")


def totals(caller: Caller) -> tuple[str, str]:
    wallet = caller.get("/payments/wallet/").json
    first = wallet["balances"][0]
    assert (wallet["total_earned"], wallet["total_spent"]) == (first["total_earned"], first["total_spent"])
    assert (first["total_earned"], first["total_spent"]) == (first["lifetime_earnings"], first["lifetime_spent"])
    return wallet["total_earned"], wallet["total_spent"]


def test_an_escrow_answers_what_was_really_released_and_charged(world: World, call_as: As) -> None:
    job = world.completed()
    caller = call_as(job.client)
    assert shares(caller, world) == ("0.00", "0.00", "0.00", "0.00")

    world.refund(job, actor=job.freelancer, amount=dollars("30.00"))
    world.work()
    assert shares(caller, world) == ("0.00", "0.00", "0.00", "30.00")

    world.release(job)
    assert shares(caller, world) == ("70.00", "10.50", "59.50", "30.00")


def test_a_release_answers_what_it_released(world: World, call_as: As) -> None:
    job = world.completed()
    answer = call_as(job.client).post(f"/payments/escrow/{job.escrow.public_id}/release/")
    escrow = answer.json["escrow"]
    assert (escrow["released_amount"], escrow["platform_fee_charged"]) == ("100.00", "15.00")
    assert escrow["freelancer_received"] == "85.00"


def shares(caller: Caller, world: World) -> tuple[str, str, str, str]:
    """Released, charged, received, refunded; the agreed shares of the whole stay as they are."""
    (escrow,) = caller.get("/payments/escrow/").json["results"]
    detail = caller.get(f"/payments/escrow/{escrow['id']}/").json
    assert escrow.items() <= detail.items()
    assert (escrow["platform_fee_amount"], escrow["freelancer_amount"]) == ("15.00", "85.00")
    names = ("released_amount", "platform_fee_charged", "freelancer_received", "refunded_amount")
    released, charged, received, refunded = (escrow[name] for name in names)
    return released, charged, received, refunded
