"""`/payments/`: one file per resource, put together here."""

from ninja import Router

from multitask.web.api.payments import (
    connect,
    destinations,
    disputes,
    escrow,
    identity,
    intents,
    methods,
    proof,
    refunds,
    wallet,
    withdrawals,
)

router = Router(tags=["payments"])
for _resource in (
    connect,
    destinations,
    identity,
    intents,
    escrow,
    refunds,
    disputes,
    wallet,
    withdrawals,
    methods,
    proof,
):
    router.add_router("", _resource.router)
