"""Every endpoint, every kind of timer, and every renderer of this sandbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from sandboxes.kit.documents import Doc
from sandboxes.kit.routing import Route
from sandboxes.kit.sandbox import Behaviour
from sandboxes.paymob.objects import card_token, initial_objects, intention, order, payout, topup, transaction
from sandboxes.paymob.resources import intentions, legacy, payouts, transactions
from sandboxes.paymob.sandbox import Sandbox

ROUTES: Final[tuple[Route, ...]] = (
    intentions.create,
    intentions.update,
    legacy.authenticate,
    legacy.create_order,
    legacy.retrieve_order,
    legacy.create_key,
    legacy.pay,
    payouts.issue_token,
    payouts.disburse,
    payouts.inquire,
    payouts.inquire_by_get,
    payouts.inquire_by_reference,
    payouts.inquire_by_reference_by_get,
    payouts.inquire_budget,
    payouts.request_topup,
    transactions.refund,
    transactions.void,
    transactions.capture,
    transactions.retrieve,
    transactions.inquire,
)

TIMERS: Final[Mapping[str, Callable[[Sandbox, str], None]]] = {
    "payout.advance": payout.advance,
    "payout.return": payout.come_back,
}

RENDERERS: Final[Mapping[str, Callable[[Sandbox, Doc], Doc]]] = {
    "card_token": card_token.render,
    "intention": intention.render,
    "order": order.render,
    "payout": payout.render,
    "topup": topup.render,
    "transaction": transaction.render,
}

BEHAVIOUR: Final = Behaviour(timers=TIMERS, renderers=RENDERERS, prepare=initial_objects.prepare)
