"""Payouts from the platform's budget to bank accounts, wallets and InstaPay, under a contract and keys of their own.

Addresses, fields and answers are those of Paymob's documentation of disbursements where it has them; statuses, codes,
the inquiry and the budget are known from programs that call them (secondary). There are no idempotency keys: our
reference is unique, Paymob refuses a used one, and a call is never repeated under it without an answer to an inquiry.
"""

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, Final

import structlog

from multitask.money import Money
from multitask.payments.provider import (
    DISBURSEMENTS_AT_ONCE,
    CannotTell,
    Destination,
    DestinationKind,
    Failure,
    Found,
    PayoutState,
    ProviderError,
    Rejected,
    Search,
    Unavailable,
    Unknown,
)
from multitask.providers.paymob import amounts, errors, failure_messages, payout_statuses, times
from multitask.providers.paymob.client import Answer, Raw
from multitask.providers.paymob.configuration import Configuration
from multitask.providers.paymob.refunds import Refunds
from multitask.providers.paymob.tokens import Token, Tokens

log = structlog.get_logger(__name__)

BUDGET_SHORT: Final = "budget_short"
REFERENCE_USED: Final = "reference_used"
INVALID_DESTINATION: Final = "invalid_destination"
METHOD_NOT_ALLOWED: Final = 405
# The fields that name the receiver.
_DETAILS: Final = frozenset(
    {"msisdn", "bank_card_number", "bank_code", "full_name", "national_id", "issuer", "bank_transaction_type"}
)
_MOBILE: Final = re.compile(r"01[0-9]{9}", re.ASCII)
# "orange" is pending at first, like banks, and kept beside them; the others of wallets are answered at once.
_WALLETS: Final = frozenset({"vodafone", "etisalat", "orange", "bank_wallet"})
# Among which payouts an inquiry looks: those by an account number, and the others. A wallet of a bank may be in either.
_LISTS: Final[Mapping[DestinationKind | None, tuple[bool, ...]]] = {
    DestinationKind.BANK: (True,),
    DestinationKind.INSTAPAY: (True,),
    DestinationKind.WALLET: (False, True),
    None: (False, True),
}


class Payouts(Refunds):
    """Calls about payouts and the budget."""

    def __init__(self, configuration: Configuration) -> None:
        """Prepare to obtain a token with the first call."""
        super().__init__(configuration)
        self._paying_out = Tokens(self._obtain_payout_token)
        self._inquiry_method = "POST"

    def disburse(self, *, reference: str, destination: Destination, amount: Money) -> PayoutState:
        """Pay out.

        Raises Rejected for details or amounts that are refused, Unavailable with the code `budget_short`, and Unknown
        for every answer that does not say clearly what happened, such as that the reference was used before: then
        `find_disbursement` decides.
        """
        amounts.require_payout(amount, destination.kind)
        body = {
            "amount": amounts.to_pounds(amount),
            "client_reference_id": reference,
            "client_reference": reference,
            "customer_bears_fees": False,
            **_receiver(destination),
        }
        answer = self._paid_out("POST", "/disburse/", body)
        if payout_statuses.is_failure(answer.body) or not answer.is_success:
            return _failed(answer, reference, amount)
        return _checked(payout_statuses.state(answer.body), reference, amount)

    def read_disbursement(self, payout_id: str) -> PayoutState:
        """Read a payout by Paymob's id. Raises Rejected with `resource_missing` if no inquiry finds it."""
        for raw in self._inquire([payout_id], _LISTS[None]):
            if str(raw.get("transaction_id")) == payout_id:
                return payout_statuses.state(raw)
        raise Rejected(errors.MISSING, "The payment provider does not know this object.")

    def read_disbursements(self, payout_ids: Sequence[str]) -> Mapping[str, PayoutState]:
        """Read up to 50 payouts by their ids, by one or two inquiries.

        Those that are not listed, and those whose state is not known, are left out.
        """
        if len(payout_ids) > DISBURSEMENTS_AT_ONCE:
            raise ValueError(f"an inquiry names at most {DISBURSEMENTS_AT_ONCE} payouts")
        listed: dict[str, Raw] = {}
        for among in _LISTS[None]:
            missing = [payout_id for payout_id in payout_ids if payout_id not in listed]
            if missing:
                listed |= {str(raw.get("transaction_id")): raw for raw in self._inquire(missing, (among,))}
        states = {payout_id: _known(listed[payout_id]) for payout_id in payout_ids if payout_id in listed}
        return {payout_id: state for payout_id, state in states.items() if state is not None}

    def find_disbursement(self, *, reference: str, kind: DestinationKind) -> Search[PayoutState]:
        """Find a payout by our reference.

        One that is not listed is never absent for certain: the request may still be on its way, and nothing says how
        soon an inquiry lists what was accepted. A payout cannot be called back, so it is not sent again on a guess.
        """
        try:
            for raw in self._inquire([reference], _LISTS[kind]):
                if payout_statuses.reference_of(raw) == reference:
                    return Found(payout_statuses.state(raw))
        except Rejected as error:
            return CannotTell(error.code, error.message)
        return CannotTell("payout_not_listed", "The payment provider does not list the payout.")

    def least_disbursement(self, kind: DestinationKind, currency: str) -> Money:
        """Return the least that can be paid out by a way."""
        return Money(amounts.LEAST_PAYOUT[kind], currency)

    def most_disbursement(self, kind: DestinationKind, currency: str) -> Money | None:
        """Return the most that can be paid out at once by a way, None if no limit is known."""
        most = amounts.MOST_PAYOUT.get(kind)
        return None if most is None else Money(most, currency)

    def local_day(self, moment: datetime) -> date:
        """Return the day of a moment in Cairo."""
        return times.day(moment)

    def read_budget(self, currency: str) -> Money:
        """Return what the budget holds, which Paymob writes as a sentence."""
        if currency != amounts.CURRENCY:
            raise Rejected("currency_unsupported", f"There is no budget in {currency}.")
        self._require_allowed("budget")
        answer = self._paid_out("GET", "/budget/inquire/")
        if not answer.is_success:
            raise errors.refusal(answer)
        return amounts.from_budget(answer.body.get("current_budget"))

    def payout_failure(self, code: str, message: str) -> Failure:
        """Explain a failed payout."""
        return failure_messages.payout(code, message)

    def _inquire(self, names: Sequence[str], lists: Sequence[bool]) -> Iterator[Raw]:
        """Yield the payouts of some ids or references, list after list, each by one inquiry.

        Raises Unavailable when the inquiries of this minute are used up.
        """
        for is_by_account in lists:
            self._require_allowed("transactions")
            body = {"transactions_ids_list": list(names), "bank_transactions": is_by_account}
            answer = self._asked(body)
            if not answer.is_success:
                raise errors.refusal(answer)
            results = answer.body.get("results")
            if not isinstance(results, list):
                raise errors.unexpected("inquiry", answer.body.get("count"))
            yield from (raw for raw in results if isinstance(raw, Mapping))

    def _asked(self, body: Raw) -> Answer:
        """Make one inquiry, by POST or, once Paymob has refused that method, by GET with the same body.

        Paymob's own examples make it by GET alone; other programs make it by POST too (secondary).
        """
        method = self._inquiry_method
        answer = self._paid_out(method, "/transaction/inquire/", body)
        if answer.status == METHOD_NOT_ALLOWED and method == "POST":
            self._inquiry_method = "GET"
            answer = self._paid_out("GET", "/transaction/inquire/", body)
        return answer

    def _require_allowed(self, kind: str) -> None:
        wait = self._configuration.inquiry_allowed(kind)
        if wait is not None:
            message = "The payment provider answers few inquiries a minute."
            raise Unavailable("rate_limited", message, retry_after=wait, refuses_all=True)

    def _paid_out(self, method: str, path: str, body: Raw | None = None) -> Answer:
        """Make a call about payouts, once more with a new token if this one is refused, which shows no effect."""
        token = self._paying_out.access()
        answer = self._with_token(token, method, path, body)
        if answer.status == 401:
            answer = self._with_token(self._paying_out.access(refused=token), method, path, body)
        return answer

    def _with_token(self, token: str, method: str, path: str, body: Raw | None) -> Answer:
        url = f"{self._configuration.payout_base}{path}"
        return self._call(method, url, headers={"Authorization": f"Bearer {token}"}, body=body)

    def _obtain_payout_token(self, refresh: str) -> Token:
        """Obtain a token by the last refresh token or, without one or if it is refused, by the password."""
        if refresh:
            answer = self._token({"grant_type": "refresh_token", "refresh_token": refresh})
            if answer.is_success:
                return _token(answer)
        given = {"username": self._configuration.payout_username, "password": self._configuration.payout_password}
        answer = self._token({"grant_type": "password", **given})
        if answer.is_success:
            return _token(answer)
        refused = errors.refusal(answer)
        raise errors.misconfigured(answer.status) if isinstance(refused, Rejected) else refused

    def _token(self, form: Mapping[str, str]) -> Answer:
        configuration = self._configuration
        basic = (configuration.payout_client_id, configuration.payout_client_secret)
        return self._call(
            "POST", f"{configuration.payout_base}/o/token/", headers={"Authorization": _basic(*basic)}, form=form
        )


def _basic(client_id: str, secret: str) -> str:
    return f"Basic {base64.b64encode(f'{client_id}:{secret}'.encode()).decode()}"


def _token(answer: Answer) -> Token:
    access, refresh, lifetime = (answer.body.get(name) for name in ("access_token", "refresh_token", "expires_in"))
    if not isinstance(access, str) or not access:
        raise errors.unexpected("token")
    seconds = lifetime if type(lifetime) is int and 0 < lifetime < 1_000_000 else 0
    return Token(
        access=access, lifetime=timedelta(seconds=seconds), refresh=refresh if isinstance(refresh, str) else ""
    )


def _receiver(destination: Destination) -> dict[str, Any]:
    """Return the fields that name the receiver. Raises Rejected for details that Paymob could only refuse."""
    optional = {"national_id": destination.national_id} if destination.national_id else {}
    if destination.kind is DestinationKind.WALLET:
        if destination.issuer not in _WALLETS or not _MOBILE.fullmatch(destination.number):
            raise _invalid_destination()
        named = {"full_name": destination.holder} if destination.holder else {}
        return {"issuer": destination.issuer, "msisdn": destination.number, **named, **optional}
    if not (destination.number and destination.bank_code and destination.holder):
        raise _invalid_destination()
    account = {
        "bank_card_number": destination.number,
        "bank_code": destination.bank_code,
        "full_name": destination.holder,
        **optional,
    }
    if destination.kind is DestinationKind.INSTAPAY:
        return {"issuer": "instant_bank", **account}
    return {"issuer": "bank_card", "bank_transaction_type": "cash_transfer", **account}


def _checked(state: PayoutState, reference: str, amount: Money) -> PayoutState:
    """Return the payout of an answer. Raises Unknown if it is of another amount or reference than was asked for."""
    if state.amount != amount:
        log.critical("paymob paid out another amount", asked=str(amount), answered=str(state.amount))
        raise errors.unexpected("amount", state.amount)
    if state.reference not in {"", reference}:
        raise errors.unexpected("reference", state.reference)
    return replace(state, reference=reference)


def _failed(answer: Answer, reference: str, amount: Money) -> PayoutState:
    """Return the payout that an answer calls failed, or raise what a refusal means. An answer of 200 may be one."""
    if answer.status == 404:
        raise errors.misconfigured(answer.status)
    if answer.status in {401, 403, 408, 409, 425, 429}:
        raise errors.refusal(answer)
    said = errors.everything_said(dict(answer.body))
    if "used before" in said:
        message = "The payment provider knows this payout already."
        raise Unknown(REFERENCE_USED, message)
    if "budget" in said and "exceed" in said:
        message = "The budget does not cover the payout yet."
        raise Unavailable(BUDGET_SHORT, message, key_spent=True)
    if payout_statuses.is_failure(answer.body) and answer.body.get("transaction_id"):
        return _checked(payout_statuses.state({"amount": amounts.to_pounds(amount), **answer.body}), reference, amount)
    if payout_statuses.is_failure(answer.body) or 400 <= answer.status < 500:
        raise _refused(answer)
    raise errors.unexpected("payout", answer.status)


def _refused(answer: Answer) -> ProviderError:
    """Return a refusal without a payout: by its code, or by the field that it names."""
    said = answer.body.get("status_description")
    code, _ = errors.described(said if isinstance(said, Mapping) else answer.body)
    if code.removeprefix("invalid_") in _DETAILS:
        code = INVALID_DESTINATION
    elif payout_statuses.code_of(answer.body) not in {"", "400"}:
        code = payout_statuses.code_of(answer.body)
    log.warning("paymob refused a payout", http_status=answer.status, code=code)
    return Rejected(code, failure_messages.payout(code, "").sentence)


def _invalid_destination() -> Rejected:
    return Rejected(INVALID_DESTINATION, failure_messages.payout(INVALID_DESTINATION, "").sentence)


def _known(raw: Raw) -> PayoutState | None:
    """Translate a payout of a list; one that this adapter does not understand is logged and left out."""
    try:
        return payout_statuses.state(raw)
    except Unknown:
        return None
