"""`/payments/wallet/`: balances and history."""

import json
import re
import uuid
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from multitask import database, text
from multitask.marketplace import references
from multitask.money import Currency, Money
from multitask.payments.books.history import HistoryType
from multitask.payments.models import HistoryRow
from multitask.payments.provider import RouteKind
from multitask.payments.reads import wallet, wallet_views
from multitask.payments.reads.wallet import Filter
from multitask.payments.reads.wallet_views import WalletView
from multitask.payments.states import HistoryStatus
from multitask.web.api import answers, auth, pagination, validation
from multitask.web.api.operations import responses
from multitask.web.api.pagination import PageQuery, Paging
from multitask.web.api.payments.shared import WhereOut, where_fields
from multitask.web.api.request_errors import Refused
from multitask.web.api.schemas import AmountOut, CurrencyOut, Output, Page, amount_out

router = Router(tags=["wallet"])


EARNED = (
    "Everything ever released to you in this currency, less the platform's fee and less what went back to"
    " clients later. Withdrawing it changes nothing here. The same as lifetime_earnings."
)
SPENT = (
    "Everything you ever paid into escrow in this currency, less what was refunded to you. A payment counts once it"
    " has arrived, a refund once it has succeeded. The same as lifetime_spent."
)


class BalanceOut(Output):
    """The caller's money in one currency."""

    currency: CurrencyOut
    available_balance: AmountOut
    pending_balance: AmountOut
    escrowed_balance: AmountOut
    withdrawing_balance: AmountOut
    contested_balance: Annotated[
        AmountOut, Field(description="Released to you and held: a bank contests it, or it is transferred again.")
    ]
    owed_balance: Annotated[
        AmountOut, Field(description="What you owe the platform after losses; later releases are used for it first.")
    ]
    lifetime_earnings: AmountOut
    lifetime_spent: AmountOut
    total_earned: Annotated[AmountOut, Field(description=EARNED)]
    total_spent: Annotated[AmountOut, Field(description=SPENT)]
    route: Annotated[
        RouteKind | None,
        Field(description="How it is paid out: from a payout account at the provider, or to a payout destination."),
    ]
    where: Annotated[
        list[WhereOut],
        Field(
            description="The amounts add up to the escrowed, pending, contested, available and withdrawing balances."
        ),
    ]


class WalletOut(BalanceOut):
    """The caller's wallet: the default currency at the top, every currency in `balances`."""

    balances: list[BalanceOut]


class HistoryOut(Output):
    """One event of the history."""

    id: int
    transaction_id: uuid.UUID
    transaction_type: HistoryType
    status: HistoryStatus
    direction: Literal["in", "out", "neutral"]
    amount: AmountOut
    platform_fee: AmountOut
    net_amount: AmountOut
    currency: CurrencyOut
    task: int | None
    task_title: str | None
    escrow: int | None
    sender_username: str | None
    recipient_username: str | None
    description: str
    created_at: datetime
    processed_at: datetime | None
    failure_reason: str
    made_at_provider: Annotated[bool, Field(description="A refund or payout made at the payment provider, not by us.")]
    used_for_debt: Annotated[
        AmountOut, Field(description="The part of a release to you that paid what you owed; otherwise zero.")
    ]


def _day(value: object) -> object:
    """Refuse what pydantic would read as seconds since 1970 or as a date with a time."""
    if isinstance(value, str) and not DAY.fullmatch(value):
        raise validation.own("invalid", "This has to be a day, such as 2030-01-31.")
    return value


DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
Day = Annotated[date, BeforeValidator(_day)]


class HistoryQuery(BaseModel):
    """Which rows are wanted; `from` and `to` are days in the caller's own time zone, both included."""

    model_config = ConfigDict(populate_by_name=True)

    type: HistoryType | None = None
    transaction_type: Annotated[HistoryType | None, Field(description="The same as type.")] = None
    status: HistoryStatus | None = None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    start: Day | None = Field(None, alias="from")
    end: Day | None = Field(None, alias="to")
    search: Annotated[str, Field(max_length=100)] = ""

    @field_validator("transaction_type")
    @classmethod
    def same_as_type(cls, value: HistoryType | None, info: ValidationInfo) -> HistoryType | None:
        """Refuse two different types."""
        return validation.same(value, info.data.get("type"), "type")

    @field_validator("search")
    @classmethod
    def storable(cls, value: str) -> str:
        """Refuse text that cannot be searched for."""
        found = text.complaint(value, longest=100)
        if found:
            raise validation.own("invalid_text", found)
        return value


@router.get("/wallet/", operation_id="wallet_get", response=responses({200: WalletOut}))
def get(request: HttpRequest) -> HttpResponse:
    """Show the caller's balances."""
    user = auth.user_of(request)
    found = wallet_views.read(user_id=user.pk, default_currency=user.default_currency, now=timezone.now())
    shown = [show_balances(each) for each in found]
    return answers.of({**shown[0], "balances": shown})


@router.get(
    "/wallet/transactions/",
    operation_id="wallet_transactions",
    response=responses({200: Page[HistoryOut]}),
)
def transactions(
    request: HttpRequest, paging: PageQuery, query: Query[HistoryQuery]
) -> HttpResponse | Page[HistoryOut]:
    """List the caller's wallet history, newest first."""
    user = auth.user_of(request)
    wanted = _filter(query, user.zone)
    if wallet.is_counted(wanted):
        count, results = _written_rows(user.pk, wanted, paging)
        return answers.page(request, paging, results, count=count)
    rows, count = wallet.page(user.pk, wanted, offset=paging.offset, size=paging.size)
    return pagination.of(request, paging, [show_row(row) for row in rows], count=count)


_HISTORY: Final = database.Statement("""
SELECT total, results FROM api_history(%(user)s::bigint, %(type)s::text, %(status)s::text, %(currency)s::text,
       %(offset)s::bigint, %(size)s::int, %(prefix)s::text, %(digits)s::jsonb)
""")
_DIGITS: Final = json.dumps({each.code: each.decimals for each in Currency.all() if each.decimals != 2})


def _written_rows(user_id: int, wanted: Filter, paging: Paging) -> tuple[int, str]:
    """Return how many rows match and one page of them, written as JSON with the fields of `HistoryOut`."""
    values = {"type": wanted.type, "status": wanted.status, "currency": wanted.currency}
    reach = {"offset": paging.offset, "size": paging.size}
    known = {"user": user_id, "prefix": references.PREFIX, "digits": _DIGITS}
    ((total, results),) = _HISTORY.rows(values | reach | known)
    return total, results


class EndsBeforeItBegins(Refused):
    """The last day of the period is before the first."""

    code = "invalid"
    message = "The last day lies before the first."


def _filter(query: HistoryQuery, zone: ZoneInfo) -> Filter:
    if query.start and query.end and query.end < query.start:
        raise EndsBeforeItBegins(fields={"to": "This lies before `from`."})
    kind = query.type or query.transaction_type
    return Filter(
        type=kind.value if kind else "",
        status=query.status.value if query.status else "",
        currency=query.currency or "",
        start=_midnight(query.start, zone),
        end=_midnight(_next_day(query.end), zone),
        search=query.search.strip(),
    )


def _next_day(day: date | None) -> date | None:
    return None if day is None or day == date.max else day + timedelta(days=1)


def _midnight(day: date | None, zone: ZoneInfo) -> datetime | None:
    return None if day is None else datetime.combine(day, time.min, tzinfo=zone)


def show_balances(view: WalletView) -> dict[str, Any]:
    """Return the fields of `BalanceOut` that show one currency."""
    found = view.held
    earned, spent = amount_out(found.lifetime_earnings), amount_out(found.lifetime_spent)
    return {
        "currency": found.available.currency,
        "available_balance": amount_out(found.available),
        "pending_balance": amount_out(found.pending),
        "escrowed_balance": amount_out(found.escrowed),
        "withdrawing_balance": amount_out(found.withdrawing),
        "contested_balance": amount_out(found.contested),
        "owed_balance": amount_out(found.owed),
        "lifetime_earnings": earned,
        "lifetime_spent": spent,
        "total_earned": earned,
        "total_spent": spent,
        "route": view.route,
        "where": [where_fields(row) for row in view.where],
    }


def show_row(row: HistoryRow) -> HistoryOut:
    """Make the answer that shows one event."""
    agreement = row.escrow.agreement if row.escrow else None
    net_minor = row.amount_minor - row.fee_minor
    made = row.refund or row.withdrawal
    is_earned = row.type == HistoryType.ESCROW_RELEASE.value and row.direction == "in"
    netted = row.escrow.netted_minor if row.escrow is not None and is_earned else 0
    return HistoryOut(
        id=row.pk,
        transaction_id=row.public_id,
        transaction_type=HistoryType(row.type),
        status=HistoryStatus(row.status),
        direction=row.direction,
        amount=amount_out(Money(row.amount_minor, row.currency)),
        platform_fee=amount_out(Money(row.fee_minor, row.currency)),
        net_amount=amount_out(Money(net_minor, row.currency)),
        currency=row.currency,
        task=references.task_id(agreement) if agreement else None,
        task_title=agreement.title if agreement else None,
        escrow=row.escrow_id,
        sender_username=row.sender.username if row.sender else None,
        recipient_username=row.recipient.username if row.recipient else None,
        description=row.description,
        created_at=row.created_at,
        processed_at=row.processed_at,
        failure_reason=row.failure_reason,
        made_at_provider=made is not None and made.is_outside,
        used_for_debt=amount_out(Money(netted, row.currency)),
    )
