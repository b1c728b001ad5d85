"""The one place that maps errors to HTTP statuses and bodies.

Every answer that is not a success has the same body: `{"error", "code", "detail", "fields"}`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from multitask.database import OutcomeUnknown
from multitask.errors import DomainError
from multitask.users.powers import StaffUnproved
from multitask.web.api import validation
from multitask.web.api.request_errors import Refused

log = structlog.get_logger(__name__)

RETRY_AFTER_SECONDS = 1

_CODES_BY_STATUS: dict[int, str] = {
    400: """
        bad_request invalid_json repeated_parameter invalid_idempotency_key
    """,
    401: """
        not_authenticated invalid_token invalid_credentials session_ended refresh_token_reused
        otp_required
    """,
    403: """
        forbidden not_allowed not_your_part not_a_client not_a_freelancer csrf_failed four_eyes
        otp_invalid reauth_required second_factor_required wrong_password password_required
    """,
    404: """
        not_found user_not_found task_not_found application_not_found unknown_transaction
        unknown_object no_account
    """,
    409: """
        username_taken email_already_confirmed task_refused task_not_open task_state_conflict already_applied
        application_not_pending freelancer_unavailable idempotency_in_flight wrong_state
        work_state_conflict
        task_not_completed not_funded dispute_open escrow_frozen evidence_closed refund_in_progress
        insufficient_funds
        onboarding_incomplete no_bank_in_currency account_exists account_ended account_in_use funds_in_former_account
        application_not_accepted provider_refused refused
        user_refused ledger_refused event_quarantined unknown_reversal already_reversed
        second_factor_on second_factor_off withdrawal_left email_unconfirmed identity_mismatch
        payee_not_ready identity_missing identity_unconfirmed identity_rejected destination_missing reference_used
        payout_unexplained
    """,
    413: "body_too_large",
    415: "unsupported_media_type",
    422: """
        invalid required unknown_field unknown_parameter invalid_account invalid_task invalid_text own_task
        amount_invalid amount_too_precise amount_too_small amount_too_large currency_unknown
        currency_unsupported country_unsupported
        currency_mismatch amount_mismatch idempotency_key_reused idempotency_conflict
        link_invalid period_too_long file_refused
        invalid_payee_details destination_kind_unknown iban_invalid account_number_invalid card_number_refused
        destination_cannot_take_refund refund_too_small
        bank_unknown wallet_issuer_unknown msisdn_invalid name_invalid national_id_invalid
    """,
    429: "too_many_attempts too_many_requests",
    # Errors of our own code: answered as `internal_error`, with code and message only in the log.
    500: "not_in_transaction posting_invalid unbalanced account_mismatch balance_out_of_range",
    503: "provider_unavailable outcome_unknown temporarily_unavailable",
}
STATUSES: dict[str, int] = {code: status for status, codes in _CODES_BY_STATUS.items() for code in codes.split()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An error as it will be sent."""

    status: int
    code: str
    message: str
    detail: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> dict[str, Any]:
        """Return what the JSON body holds."""
        detail = self.detail or self.message
        return {"error": self.message, "code": self.code, "detail": detail, "fields": dict(self.fields)}


_SOON = {"Retry-After": str(RETRY_AFTER_SECONDS)}
UNAVAILABLE = Answer(
    status=503,
    code="temporarily_unavailable",
    message="The service is busy or restarting. Try again in a moment.",
    headers=_SOON,
)
OUTCOME_UNKNOWN = Answer(
    status=503,
    code="outcome_unknown",
    message="It is not known whether this took effect. Ask again with the same Idempotency-Key.",
    headers=_SOON,
)
INTERNAL = Answer(status=500, code="internal_error", message="Something went wrong on our side.")
# Statuses that Django and the router answer by themselves.
BY_STATUS = {
    400: Answer(status=400, code="bad_request", message="The request cannot be understood."),
    401: Answer(status=401, code="not_authenticated", message="Log in first."),
    403: Answer(status=403, code="forbidden", message="You may not do this."),
    404: Answer(status=404, code="not_found", message="There is nothing here."),
    408: Answer(status=408, code="request_timeout", message="The body did not arrive in time. Send it again."),
    405: Answer(status=405, code="method_not_allowed", message="This address does not take that method."),
    411: Answer(status=411, code="length_required", message="Send the body with its Content-Length."),
    413: Answer(status=413, code="body_too_large", message="The body is larger than is accepted."),
    503: UNAVAILABLE,
}


def answer(error: BaseException) -> Answer:
    """Return the answer for an exception; an unexpected one is answered 500 without details."""
    if isinstance(error, DomainError):
        return _refusal(error)
    if isinstance(error, ValidationError):
        return _invalid(error)
    if isinstance(error, HttpError):
        # The router wraps whatever the parser of the body raises.
        cause = error.__cause__
        return _refusal(cause) if isinstance(cause, Refused) else by_status(error.status_code)
    if isinstance(error, OutcomeUnknown):
        return OUTCOME_UNKNOWN
    # Lost connections, full pools and disks, lock timeouts: nothing of the transaction remains.
    if isinstance(error, OperationalError | InterfaceError):
        return UNAVAILABLE
    return by_status(_status_of_django(error))


def too_many_requests(retry_after: int) -> Answer:
    """Return the answer for a caller over the rate limit; `retry_after` is in seconds."""
    return Answer(
        status=429,
        code="too_many_requests",
        message="Too many requests. Wait a moment, then go on.",
        headers={"Retry-After": str(retry_after)},
    )


def by_status(status: int) -> Answer:
    """Return the answer for a status without a code of its own."""
    if status in BY_STATUS:
        return BY_STATUS[status]
    if status >= 500:
        return INTERNAL
    return Answer(status=status, code="bad_request", message=BY_STATUS[400].message)


def response(found: Answer) -> JsonResponse:
    """Make the response of an answer."""
    headers = dict(found.headers)
    if found.status == 401:
        headers.setdefault("WWW-Authenticate", 'Bearer realm="multitask"')
    return JsonResponse(found.body, status=found.status, headers=headers)


def install(api: NinjaAPI, *, lacks_second_factor: Callable[[HttpRequest], bool]) -> None:
    """Register this module as the handler of every exception that an operation raises.

    `lacks_second_factor` returns whether a request comes from staff without the proof that staff needs.
    """

    def handle(request: HttpRequest, error: Any) -> JsonResponse:
        found = answer(error)
        # Staff without a second-factor proof has no powers: report the missing proof, not a missing object.
        if _is_about_powers(found) and lacks_second_factor(request):
            found = _refusal(StaffUnproved())
        _note(request, error, found)
        return response(found)

    for kind in (Exception, Http404, HttpError, ValidationError):
        api.add_exception_handler(kind, handle)


def _is_about_powers(found: Answer) -> bool:
    """Return whether a staff power could have changed the answer."""
    return found.status == 404 or found.code in {"forbidden", "not_allowed", "not_your_part"}


def _status_of_django(error: BaseException) -> int:
    if isinstance(error, RequestDataTooBig):
        return 413
    for kind, status in ((Http404, 404), (PermissionDenied, 403), (SuspiciousOperation, 400)):
        if isinstance(error, kind):
            return status
    return 500


def _refusal(error: DomainError) -> Answer:
    status = STATUSES.get(error.code, 500)
    if status == 500:
        return INTERNAL
    retry_after = getattr(error, "retry_after", None)
    return Answer(
        status=status,
        code=error.code,
        message=error.message,
        detail=error.detail,
        fields=error.fields,
        headers={"Retry-After": str(retry_after)} if retry_after is not None else _SOON if status == 503 else {},
    )


def _invalid(error: ValidationError) -> Answer:
    if validation.is_about_path(error):
        # An id that cannot be one names nothing.
        return BY_STATUS[404]
    fields = validation.fields(error)
    return Answer(
        status=422,
        code=validation.code(error),
        message="Some fields are missing or not valid.",
        detail=" ".join(f"{name}: {sentence}" for name, sentence in fields.items()),
        fields=fields,
    )


def _note(request: HttpRequest, error: BaseException, found: Answer) -> None:
    """Log faults; a refusal is an ordinary answer.

    The body and the headers stay out of the log: they may hold passwords and tokens.
    """
    if isinstance(error, DomainError) and found.status == 503:
        log.warning("request_put_off", code=found.code, method=request.method, path=request.path)
    elif found.status >= 500:
        fault = (type(error), error, error.__traceback__)
        log.error("request_failed", code=found.code, method=request.method, path=request.path, exc_info=fault)
