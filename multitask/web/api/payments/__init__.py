"""`/payments/`: one file per resource, put together here."""

from ninja import Router

from multitask.web.api.payments import (
    connect,
    disputes,
    escrow,
    intents,
    methods,
    refunds,
    wallet,
    withdrawals,
)

router = Router(tags=["payments"])
for _resource in (connect, intents, escrow, refunds, disputes, wallet, withdrawals, methods):
    router.add_router("", _resource.router)
