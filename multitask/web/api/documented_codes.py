"""The error codes of each operation by status, as the OpenAPI document lists them.

Codes that follow from an operation's kind (a login, a body, an Idempotency-Key) are derived; those of its own rules are
listed here. Tests that call the API check that every refusal is among them.
"""

from collections.abc import Collection, Mapping
from typing import Final

from multitask.web.api.error_statuses import BY_STATUS, STATUSES

_TASK: Final = "task_not_found"
_APPLICATION: Final = "application_not_found"
_PRICE: Final = (
    "amount_invalid amount_too_precise amount_too_small amount_too_large currency_unknown currency_unsupported"
)
_REFUND: Final = "amount_mismatch refund_too_small"
_PLACE: Final = "country_unsupported currency_unknown currency_unsupported"
_STEP: Final = f"{_TASK} not_your_part task_state_conflict"
_DECISION: Final = f"{_APPLICATION} not_your_part task_not_open application_not_pending"
_PROVIDER: Final = "provider_refused provider_unavailable"
_LIMITED: Final = f"{_PROVIDER} too_many_requests"
_OWNER: Final = "email_unconfirmed reauth_required password_required wrong_password too_many_attempts too_many_requests"
_NAMED: Final = "invalid_payee_details required name_invalid"
_HELD: Final = "not_found wrong_state not_funded dispute_open escrow_frozen"

# By operation, the codes of its own rules. An id that cannot be one is `not_found` everywhere.
OWN: Final[Mapping[str, str]] = {
    "auth_register": "username_taken invalid_account",
    "auth_login": "invalid_credentials otp_required otp_invalid too_many_attempts",
    "auth_second_factor": "otp_invalid second_factor_off too_many_attempts",
    "auth_refresh": "invalid_token session_ended refresh_token_reused",
    "auth_logout": "refresh_token_reused",
    "auth_resend_email": "email_already_confirmed user_not_found too_many_attempts",
    "auth_confirm_email": "link_invalid",
    "auth_change_profile": "invalid_account",
    "tasks_create": f"not_a_client invalid_task {_PRICE}",
    "tasks_get": _TASK,
    "tasks_apply": f"{_TASK} not_a_freelancer own_task invalid_task task_not_open already_applied {_PRICE}",
    "tasks_applications": _TASK,
    "applications_accept": f"{_DECISION} freelancer_unavailable",
    "applications_reject": _DECISION,
    "applications_withdraw": _DECISION,
    "tasks_start": f"{_STEP} wrong_state escrow_frozen",
    "tasks_deliver": f"{_STEP} not_funded wrong_state escrow_frozen",
    "tasks_complete": f"{_STEP} escrow_frozen",
    "tasks_cancel": f"{_STEP} wrong_state dispute_open reauth_required",
    "connect_create": f"account_exists {_PLACE} {_LIMITED}",
    "connect_replace": f"no_account account_exists account_in_use reauth_required {_PLACE} {_LIMITED}",
    "connect_onboarding": f"no_account account_ended onboarding_incomplete reauth_required {_LIMITED}",
    "connect_dashboard": f"no_account account_ended onboarding_incomplete reauth_required {_LIMITED}",
    "connect_options": "provider_refused",
    "intents_create": f"{_APPLICATION} not_found application_not_accepted wrong_state {_PRICE} {_LIMITED}",
    "escrow_release": f"{_HELD} task_not_completed refund_in_progress reauth_required",
    "escrow_refund": f"{_HELD} refund_in_progress {_PRICE} {_REFUND} reauth_required too_many_requests",
    "escrow_dispute": f"{_HELD} refund_in_progress",
    "refunds_accept": f"{_HELD} refund_in_progress reauth_required",
    "refunds_refuse": f"{_HELD} reauth_required",
    "refunds_withdraw": "not_found wrong_state escrow_frozen",
    "disputes_settle": f"{_HELD} refund_in_progress {_PRICE} {_REFUND} reauth_required",
    "approvals_decide": f"{_HELD} four_eyes refund_in_progress {_REFUND} reauth_required",
    "withdrawals_create": (
        "account_ended funds_in_former_account"
        " identity_missing identity_unconfirmed identity_rejected destination_missing payout_unexplained"
        " onboarding_incomplete no_bank_in_currency dispute_open insufficient_funds reauth_required"
        f" currency_mismatch {_PRICE} too_many_requests"
    ),
    "withdrawals_cancel": "not_found wrong_state withdrawal_left",
    "destinations_add": (
        f"{_OWNER} {_NAMED} currency_unsupported unknown_field destination_kind_unknown iban_invalid"
        " destination_cannot_take_refund account_number_invalid card_number_refused bank_unknown"
        " wallet_issuer_unknown msisdn_invalid"
    ),
    "destinations_get": "not_found",
    "destinations_missing": "currency_unsupported",
    "destinations_remove": f"{_OWNER} not_found",
    "identity_submit": f"{_OWNER} {_NAMED} national_id_invalid",
    "methods_create": _LIMITED,
    "methods_setup": _LIMITED,
    "methods_delete": f"not_found {_PROVIDER}",
    "methods_remove": f"not_found {_PROVIDER}",
    "methods_set_default": f"not_found {_LIMITED}",
}

_ANY: Final = (
    "bad_request repeated_parameter not_found body_too_large invalid invalid_text"
    " unknown_parameter"
    " too_many_requests temporarily_unavailable outcome_unknown"
)
_WITH_USER: Final = "not_authenticated invalid_token session_ended forbidden csrf_failed second_factor_required"
_WITH_BODY: Final = "invalid_json request_timeout length_required unsupported_media_type required unknown_field"
_WITH_KEY: Final = "invalid_idempotency_key idempotency_in_flight idempotency_key_reused"


def of(operation_id: str, statuses: Collection[int], *, user: bool, body: bool, keyed: bool) -> dict[int, list[str]]:
    """Return the codes of an operation for each status that it documents.

    `user`: it needs a login; `body`: it reads a body; `keyed`: it honours an Idempotency-Key.
    """
    words = f"{_ANY} {OWN.get(operation_id, '')}".split()
    words += _WITH_USER.split() if user else []
    words += _WITH_BODY.split() if body else []
    words += _WITH_KEY.split() if keyed else []
    found = {status: sorted({word for word in words if _status(word) == status}) for status in statuses}
    return {status: codes or [BY_STATUS[status].code] for status, codes in found.items()}


def _status(code: str) -> int:
    by_themselves = {answer.code: status for status, answer in BY_STATUS.items()}
    return STATUSES.get(code) or by_themselves[code]
