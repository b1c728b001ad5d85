"""Which objects users are waiting for: their events are processed before all others.

Each condition is SQL about the object of one event, with the parameters `provider`, `object_id`, `account` and
`payment`, the id of the payment where an event names it together with the try to pay it; it is
evaluated in the statement that stores the event, so an index must answer it. Events of unknown or closed objects
have the ordinary priority.
"""

from collections.abc import Mapping
from typing import Final

from multitask.payments.provider import InboundEvent, Subject

_CONDITIONS: Final[Mapping[Subject, str]] = {
    Subject.PAYMENT: """EXISTS (
        SELECT 1 FROM payments_payment
         WHERE provider = %(provider)s::text AND provider_payment_id = %(payment)s::text AND state = 'pending')""",
    Subject.ACCOUNT: """EXISTS (
        SELECT 1 FROM payments_connectedaccount
         WHERE provider = %(provider)s::text AND provider_account_id = %(object_id)s::text
           AND retired_at IS NULL AND NOT closed AND NOT (payouts_enabled AND transfers_enabled))""",
    Subject.PAYOUT: """EXISTS (
        SELECT 1 FROM payments_withdrawal
         WHERE provider_payout_id = %(object_id)s::text AND state IN ('pending', 'processing'))""",
    Subject.REFUND: """EXISTS (
        SELECT 1 FROM payments_refund
         WHERE provider_refund_id = %(object_id)s::text AND state = 'pending')""",
    # A transfer whose response has not arrived has no id here yet, so it is found by its destination account.
    Subject.TRANSFER: """EXISTS (
        SELECT 1 FROM payments_connectedaccount AS account
          JOIN payments_escrow AS escrow
            ON escrow.freelancer_id = account.user_id AND escrow.state = 'released' AND escrow.made_available_at IS NULL
         WHERE account.provider = %(provider)s::text AND account.provider_account_id = %(account)s::text)""",
    # Funds have become available in a connected account: shares that wait for that can be settled.
    Subject.BALANCE: """EXISTS (
        SELECT 1 FROM payments_connectedaccount AS account
          JOIN payments_escrow AS escrow
            ON escrow.freelancer_id = account.user_id AND escrow.state = 'released' AND escrow.made_available_at IS NULL
         WHERE account.provider = %(provider)s::text AND account.provider_account_id = %(object_id)s::text)""",
    # A new chargeback is unknown here, and has to freeze its escrow at once.
    Subject.DISPUTE: """NOT EXISTS (
        SELECT 1 FROM payments_chargeback
         WHERE provider_dispute_id = %(object_id)s::text AND closed_at IS NOT NULL)""",
}
_NEVER: Final = "false"


def condition(event: InboundEvent) -> str:
    """Return the SQL that is true when a user waits for the event's object."""
    return _CONDITIONS.get(event.subject, _NEVER)


def parameters(event: InboundEvent) -> dict[str, str]:
    """Return the condition's parameters that are not columns of the event."""
    return {
        "account": event.account_id or event.related.get("destination", ""),
        "payment": event.related.get("payment", event.object_id),
    }
