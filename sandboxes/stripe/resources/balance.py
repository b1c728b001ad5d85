"""`/v1/balance`, `/v1/balance_settings`, `/v1/balance_transactions`."""

from __future__ import annotations

from typing import Any

from sandboxes.kit.call import Call
from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import bad_param
from sandboxes.kit.params import Array, Bool, Choice, Hash, Int, Param, Str
from sandboxes.kit.routing import route
from sandboxes.stripe import events, listing, params
from sandboxes.stripe.errors import refused
from sandboxes.stripe.objects import balance_transaction
from sandboxes.stripe.params import Currency
from sandboxes.stripe.resources.accounts import DAYS, INTERVALS
from sandboxes.stripe.sandbox import Sandbox


class Amounts(Param):
    """Whole numbers of minor units by currency; an empty one is none."""

    def typed(self, value: Any, path: str) -> dict[str, int]:
        """Return the amounts."""
        if not isinstance(value, dict):
            raise bad_param("Invalid object", path)
        read = {Currency().typed(name, path): Int().read(amount, f"{path}[{name}]") for name, amount in value.items()}
        return {name: amount for name, amount in read.items() if amount is not None}


@route("GET", "/v1/balance")
def retrieve(sandbox: Sandbox, call: Call) -> Doc:
    """Read the balance of the calling account."""
    return balance_transaction.balance(sandbox, call.account)


@route(
    "GET",
    "/v1/balance_transactions",
    {
        **params.PAGE,
        "created": params.created(),
        "currency": Currency(),
        "payout": Str(),
        "source": Str(),
        "type": Str(),
    },
)
def list_transactions(sandbox: Sandbox, call: Call) -> Doc:
    """List the balance transactions of the calling account."""
    where = listing.filters(call, "currency", "source", "type")
    if call.get("payout"):
        payout = sandbox.find("payout", call.params["payout"], account=call.account, param="payout")
        if not payout["automatic"]:
            raise refused(
                "Balance transaction history can only be filtered on automatic payouts, not manual.", param="payout"
            )
        where["_payout"] = payout["id"]
    return listing.page(sandbox, call, "balance_transaction", where=where)


@route("GET", "/v1/balance_transactions/{ident}")
def retrieve_transaction(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Read one balance transaction."""
    return sandbox.find("balance_transaction", ident, account=call.account)


@route("GET", "/v1/balance_settings")
def retrieve_settings(sandbox: Sandbox, call: Call) -> Doc:
    """Read the payout settings of the calling account."""
    return _settings(sandbox, sandbox.find("account", call.account))


@route(
    "POST",
    "/v1/balance_settings",
    {
        "payments": Hash(
            debit_negative_balances=Bool(),
            payouts=Hash(
                minimum_balance_by_currency=Amounts(),
                schedule=Hash(
                    interval=Choice(*INTERVALS, unset=False),
                    monthly_payout_days=Array(Int(least=1, most=31)),
                    weekly_payout_days=Array(Choice(*DAYS)),
                ),
                statement_descriptor=Str(longest=22),
            ),
            settlement_timing=Hash(delay_days_override=Int(most=31)),
        )
    },
)
def update_settings(sandbox: Sandbox, call: Call) -> Doc:
    """Change the payout settings of the calling account."""
    account = sandbox.find("account", call.account)
    before = sandbox.render(_settings(sandbox, account))
    given = call.get("payments") or {}
    payouts, asked = account["settings"]["payouts"], given.get("payouts") or {}
    if given.get("debit_negative_balances") is not None:
        payouts["debit_negative_balances"] = given["debit_negative_balances"]
    payouts["schedule"].update(asked.get("schedule") or {})
    payouts.update({name: asked[name] for name in ("statement_descriptor",) if name in asked})
    if "minimum_balance_by_currency" in asked:
        account["_minimum_balance"] = asked["minimum_balance_by_currency"]
    override = (given.get("settlement_timing") or {}).get("delay_days_override")
    if override is not None:
        payouts["schedule"]["delay_days"] = override
    sandbox.store.save(account)
    settings = _settings(sandbox, account)
    events.emit(sandbox, "balance_settings.updated", settings, account=call.account, before=before)
    return settings


def _settings(sandbox: Sandbox, account: Doc) -> Doc:
    payouts = account["settings"]["payouts"]
    schedule = payouts["schedule"]
    return {
        "object": "balance_settings",
        "payments": {
            "debit_negative_balances": payouts["debit_negative_balances"],
            "payouts": {
                "automatic_transfer_rules_by_currency": {},
                "minimum_balance_by_currency": account.get("_minimum_balance"),
                "schedule": {
                    name: schedule.get(name) for name in ("interval", "monthly_payout_days", "weekly_payout_days")
                },
                "statement_descriptor": payouts["statement_descriptor"],
                "status": "enabled" if sandbox.render(account)["payouts_enabled"] else "disabled",
            },
            "settlement_timing": {
                "delay_days": int(schedule["delay_days"]),
                "delay_days_override": None,
                "start_of_day": None,
            },
        },
    }
