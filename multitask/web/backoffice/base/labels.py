"""Labels and colours of states and kinds that only the staff sees: calls, webhooks, postings, roles, approvals."""

from typing import Any, Final

from django.utils.functional import lazy
from django.utils.translation import gettext_lazy as _

from multitask.web.pages.base import status_labels

_spoken_later: Any = lazy(status_labels.label, str)

_LABELS: Final[dict[str, dict[str, Any]]] = {
    "operation": {
        "pending": _("Waiting"),
        "sent": _("Under way"),
        "unknown": _("No answer yet"),
        "succeeded": _("Done"),
        "failed": _("Refused"),
    },
    "operation_kind": {
        "create_payment": _("Create the payment"),
        "cancel_payment": _("Cancel the payment"),
        "create_refund": _("Refund the client"),
        "create_transfer": _("Transfer the freelancer's share"),
        "create_payout": _("Pay out to the bank"),
        "cancel_payout": _("Cancel the payout"),
        "disburse": _("Pay out from the budget"),
        "disburse_refund": _("Pay a refund out from the budget"),
        "create_reversal": _("Take a transferred share back"),
        "transfer_adjustment": _("Transfer an adjustment"),
        "create_account": _("Create the payout account"),
        "create_customer": _("Create the customer"),
        "upload_evidence": _("Upload a file of the evidence"),
        "submit_evidence": _("Submit the evidence"),
        "accept_chargeback": _("Accept the chargeback"),
    },
    "hold": {
        "outcome_unknown": _("Nobody can tell whether the provider did it: look at the provider, then try again"),
        "awaits_turn": _("Waits until the payout before it is answered"),
        "awaits_budget": _("Waits for the budget or for the end of the destination's waiting time"),
        "awaits_account": _("Waits until the freelancer's payout account can receive money"),
        "awaits_bank": _("Waits until the freelancer's payout account has a bank account in this currency"),
        "awaits_chargeback": _("Waits until the chargeback has ended"),
        "awaits_transfer": _("Waits until the transfer has arrived"),
        "awaits_reversal": _("Waits until it is known what was taken back"),
        "awaits_refund": _("Waits until another refund of the same payment has ended"),
    },
    "call_error": {
        "awaits_account": _("The payout account cannot receive money yet"),
        "awaits_bank": _("The payout account has no bank account in this currency"),
        "awaits_creation": _("The payment's creation is not answered yet"),
        "awaits_customer": _("The customer's creation is not answered yet"),
        "customer_gone": _("The customer was deleted at the provider"),
        "called_off": _("It was called off before it was sent"),
        "details_unreadable": _("No key decrypts the payee's details: restore the keys; nothing was sent"),
        "given_up": _("It was given up by finance"),
        "loss_reversed": _("The loss was reversed, so nothing is to come back"),
        "made_outside": _("It was reversed at the payment provider instead"),
        "may_not_be_paid": _("This payee must not be paid at present"),
        "merged": _("A later transfer brings it as well"),
        "not_needed": _("It is not needed any more"),
        "nothing_to_cancel": _("There was nothing to cancel"),
        "payout_amount_differs": _("The provider reports another amount than was asked for"),
        "payout_overdue": _("The provider accepted the payout and does not report how it ended"),
        "payout_not_made": _("Finance found that the payout was not made"),
        "refund_not_made": _("Finance found that the refund was not made"),
        "refund_totals_differ": _("The total refunded of the payment is not what was expected"),
        "taken_back": _("The share was taken back before it was sent"),
        "transfer_failed": _("The transfer was never made"),
    },
    "event": {
        "received": _("Waiting"),
        "processed": _("Processed"),
        "ignored": _("Nothing to do"),
        "failed": _("Given up"),
        "quarantined": _("In quarantine"),
        "dismissed": _("Dismissed"),
    },
    "posting": {
        "escrow_funded": _("The payment arrived in escrow"),
        "payment_unapplied": _("A payment that matches no escrow was received"),
        "processing_fee": _("The provider charged its fee"),
        "escrow_released": _("The escrow was released"),
        "transfer": _("The share was transferred to the connected account"),
        "settled": _("The share became available"),
        "withdrawal_requested": _("A withdrawal was reserved"),
        "withdrawal_paid": _("The payout was sent to the bank"),
        "withdrawal_returned": _("The bank sent the payout back"),
        "withdrawal_failed": _("The withdrawal became available again"),
        "withdrawal_cancelled": _("The withdrawal was cancelled and became available again"),
        "refund_requested": _("The refund was reserved"),
        "refund_paid": _("The provider sent the refund"),
        "refund_paid_by_bank": _("The refund was paid from the platform's own bank account"),
        "refund_returned": _("The bank sent the refund back"),
        "refund_failed": _("The refund was returned to its source"),
        "refund_retried": _("The refund was carried to the next attempt"),
        "line_suspended": _("An unexplained statement line went into suspense, or came out of it"),
        "line_settled": _("The platform's own money moved at the provider"),
        "line_explained": _("A statement line was explained by finance staff"),
        "chargeback_withdrawn": _("The bank took the contested amount"),
        "chargeback_reinstated": _("The bank gave the contested amount back"),
        "share_contested": _("A part of the share was held"),
        "share_freed": _("The held part of the share was freed"),
        "loss_booked": _("The loss was booked"),
        "loss_covered": _("The payment's own money covered a loss"),
        "loss_reversed": _("The loss was reversed"),
        "receivable_written_off": _("The receivable was written off"),
        "transfer_reversed": _("The transfer was reversed"),
        "reversal_given_up": _("A refused reversal was given up"),
        "reversal_taken_up": _("A reversal that was given up has no reason any more"),
        "settled_to_bank": _("Collected money was settled to the bank"),
        "settled_to_bank_corrected": _("A recorded settlement was taken back"),
        "budget_topped_up": _("The payout budget was topped up"),
        "budget_topped_up_corrected": _("A recorded top-up was taken back"),
        "payout_costs_booked": _("Costs of payouts were recorded"),
        "payout_costs_booked_corrected": _("Recorded costs of payouts were taken back"),
        "costs_credited": _("Costs of payouts that came back were recorded"),
        "costs_credited_corrected": _("A recorded credit of costs was taken back"),
        "payout_costs": _("The payout cost a fee and tax"),
        "payout_costs_returned": _("Fee and tax of the payout came back"),
        "adjustment": _("The balance was adjusted"),
        "adjustment_transferred": _("The adjustment was transferred to the connected account"),
        "adjustment_available": _("The adjustment became available"),
        "adjustment_reversed": _("The adjustment was taken back at the payment provider"),
    },
    "role": {
        "": _("Not staff"),
        "support": _("Support: reads, and confirms identities"),
        "finance": _("Finance: moves money"),
        "admin": _("Admin: moves money and manages staff"),
    },
    "identity": {
        "submitted": _("To be confirmed"),
        "confirmed": _("Confirmed"),
        "rejected": _("Rejected"),
    },
    "destination": {
        "cooling_down": _("Cooling down"),
        "in_use": _("In use"),
        "retired": _("Retired"),
    },
    "destination_kind": {
        "bank": _("Bank account"),
        "wallet": _("Mobile wallet"),
        "instapay": _("InstaPay"),
    },
    "system": {
        "provider": _("payment provider"),
        "settlement": _("settlement"),
        "silence": _("answer deadline"),
        "auto_release": _("automatic release"),
        "unfunded": _("payment deadline"),
        "budget": _("payout budget"),
        "destination_removed": _("removed payout destination"),
        "destination_replaced": _("replaced payout destination"),
    },
    "actor_role": {
        "client": _("client"),
        "freelancer": _("freelancer"),
        "support": _("support"),
        "finance": _("finance"),
        "admin": _("admin"),
        "system": _("the system"),
        "visitor": _("visitor"),
    },
    "approval": {
        "waiting": _("Waits for a second person"),
        "approved": _("Approved"),
        "turned_down": _("Rejected"),
    },
    "approval_kind": {
        "refund": _("Refund"),
        "settle": _("Settlement of a dispute"),
        "release": _("Release"),
        "retry_refund": _("Retry of a refund"),
        "retry_transfer": _("Retry of a transfer"),
        "return_payment": _("Return of a payment"),
        "explain_line": _("Explanation of a statement line"),
        "book_loss": _("Booking of a loss"),
        "accept_chargeback": _("Acceptance of a chargeback"),
        "late_refund": _("Refund after the release"),
        "refund_by_bank": _("Refund paid by bank transfer"),
        "give_up_refund": _("Giving up a failed refund"),
        "decide_refund": _("Decision about a refund of unknown outcome"),
        "give_up_reversal": _("Giving up a refused reversal"),
        "transfer_again": _("Transfer of a reversed share"),
        "refund_client": _("Refund of a reversed share"),
        "write_off": _("Write-off of a receivable"),
        "adjust": _("Adjustment of a balance"),
        "decide_payout": _("Decision about a payout of unknown outcome"),
        "decide_withdrawal": _("Decision about a withdrawal from a closed account"),
        "record_payout": _("Record of a payout from a closed account"),
    },
    "line": {
        "new": _("Being matched"),
        "matched": _("Matched"),
        "in_flight": _("In flight"),
        "open": _("Open"),
        "explained": _("Explained"),
    },
    "line_kind": {
        "payment": _("Payment"),
        "refund": _("Refund"),
        "refund_failure": _("Refund that came back"),
        "transfer": _("Transfer"),
        "reversal": _("Reversal of a transfer"),
        "payout": _("Payout"),
        "payout_failure": _("Payout that came back"),
        "payout_cancelled": _("Cancelled payout"),
        "chargeback": _("Chargeback"),
        "chargeback_reversal": _("Chargeback given back"),
        "fee": _("Fee of the provider"),
        "topup": _("Top-up from the platform's bank"),
        "adjustment": _("Adjustment by the provider"),
        "opening": _("Balance before the first line"),
        "other": _("Another kind of movement"),
    },
    "explanation": {
        "processing_cost": _("A processing cost"),
        "platform_loss": _("A loss of the platform"),
        "own_money": _("The platform's own money"),
        "exchange": _("A difference of exchange rates"),
        "adjustment": _("An adjustment"),
    },
    "bearer": {
        "payee": _("The freelancer owes it"),
        "platform": _("The platform bears it"),
        "nobody": _("Nobody: it stays the freelancer's, in the former account"),
    },
    "reconciliation": {
        "equal": _("Equal"),
        "not_compared": _("Not compared yet"),
        "different": _("Different"),
        "closed": _("Closed"),
    },
    "budget_record": {
        "settled_to_bank": _("Settlement to the bank"),
        "budget_topped_up": _("Top-up of the budget"),
        "payout_costs_booked": _("Costs of payouts"),
        "costs_credited": _("Costs that came back"),
    },
    "budget_record_state": {
        "standing": _("Counts"),
        "taken_back": _("Taken back by a correction"),
        "correction": _("Correction"),
    },
    "disbursement": {
        "destination_cooling_down": _("Waits for its new destination"),
        "awaits_review": _("Withheld: must not be paid"),
        "awaits_budget": _("Waits for the budget"),
        "under_way": _("Under way"),
        "ended": _("Ended"),
    },
    "withheld": {
        "identity_missing": _("The payee has given no identity"),
        "identity_unconfirmed": _("The payee's identity is not confirmed"),
        "identity_rejected": _("The payee's identity was rejected"),
        "user_closed": _("The payee's user was closed"),
        "destination_removed": _("The payout destination was removed during its waiting time"),
    },
    "dispute": {"open": _("Waits for a settlement"), "settled": _("Settled")},
    "fraud_warning": {"open": _("To be decided"), "closed": _("Closed")},
    "evidence_document": {
        "communication": _("Messages with the customer"),
        "signature": _("The customer's signature or consent"),
        "receipt": _("The receipt"),
        "refund_policy": _("The refund terms"),
        "cancellation_policy": _("The terms of cancellation"),
        "service_proof": _("Proof that the work was done"),
        "not_duplicate": _("Proof that the payment is no duplicate"),
        "other": _("Something else"),
    },
    "source": {
        "escrow": _("the escrow"),
        "unapplied": _("a payment that matches no escrow"),
        "released": _("what was released"),
    },
}
_TONES: Final[dict[str, dict[str, str]]] = {
    "operation": {
        "pending": "waiting",
        "sent": "waiting",
        "unknown": "bad",
        "succeeded": "good",
        "failed": "bad",
    },
    "event": {"received": "waiting", "processed": "good", "failed": "bad", "quarantined": "bad"},
    "role": {"support": "good", "finance": "good", "admin": "waiting"},
    "approval": {"waiting": "waiting", "approved": "good"},
    "identity": {"submitted": "waiting", "confirmed": "good", "rejected": "bad"},
    "destination": {"cooling_down": "waiting", "in_use": "good"},
    "dispute": {"open": "bad", "settled": "good"},
    "line": {"new": "waiting", "matched": "good", "in_flight": "waiting", "open": "bad", "explained": "good"},
    "reconciliation": {"equal": "good", "not_compared": "waiting", "different": "bad"},
    "budget_record_state": {"standing": "good", "taken_back": "bad", "correction": "waiting"},
    "disbursement": {
        "destination_cooling_down": "waiting",
        "awaits_review": "bad",
        "awaits_budget": "bad",
        "under_way": "waiting",
    },
    "fraud_warning": {"open": "bad", "closed": "good"},
    "chargeback": {"won": "good", "warning_closed": "good", "prevented": "good", "lost": "bad"},
}


def of(family: str, value: str) -> str:
    """Return the label of a value; states that the pages show too have the pages' labels."""
    known = _LABELS.get(family, {}).get(value)
    return str(known) if known is not None else status_labels.label(value)


def is_known(family: str, value: str) -> bool:
    """Return whether a value has a label of its own in a family."""
    return value in _LABELS.get(family, {})


def tone(family: str, value: str) -> str:
    """Return the colour class of a value: good, waiting, bad or plain."""
    if family in _TONES:
        return _TONES[family].get(value, "waiting" if family == "chargeback" else "plain")
    return status_labels.tone(value)


def options(family: str, *values: str) -> dict[str, Any]:
    """Return the options of a filter with their labels, translated when they are shown."""
    known = _LABELS.get(family, {})
    return {value: known.get(value, _spoken_later(value)) for value in values or known}
