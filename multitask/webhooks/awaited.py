"""Which objects somebody waits for: the events of these are processed before all others.

Each condition is SQL about the object of one event, with the parameters `provider`, `object_id` and `account`; it is
evaluated in the statement that stores the event, so it has to be answered by an index. What is not known here yet,
or closed, is awaited by nobody: its events go behind.
"""

from collections.abc import Mapping
from typing import Final

from multitask.payments.provider import InboundEvent, Subject

_CONDITIONS: Final[Mapping[Subject, str]] = {
    Subject.PAYMENT: """EXISTS (
        SELECT 1 FROM payments_payment
         WHERE provider = %(provider)s AND provider_payment_id = %(object_id)s AND state = 'pending')""",
    Subject.ACCOUNT: """EXISTS (
        SELECT 1 FROM payments_connectedaccount
         WHERE provider = %(provider)s AND provider_account_id = %(object_id)s
           AND NOT closed AND NOT (payouts_enabled AND transfers_enabled))""",
    Subject.PAYOUT: """EXISTS (
        SELECT 1 FROM payments_withdrawal
         WHERE provider_payout_id = %(object_id)s AND state IN ('pending', 'processing'))""",
    Subject.REFUND: """EXISTS (
        SELECT 1 FROM payments_refund
         WHERE provider_refund_id = %(object_id)s AND state = 'pending')""",
    # A transfer of ours whose answer has not come has no id here yet, so it is found by the account that it went to.
    Subject.TRANSFER: """EXISTS (
        SELECT 1 FROM payments_connectedaccount AS account
          JOIN payments_escrow AS escrow
            ON escrow.freelancer_id = account.user_id AND escrow.state = 'released' AND escrow.settled_at IS NULL
         WHERE account.provider = %(provider)s AND account.provider_account_id = %(account)s)""",
    # Funds have become available in a connected account: shares that wait for that can be settled.
    Subject.BALANCE: """EXISTS (
        SELECT 1 FROM payments_connectedaccount AS account
          JOIN payments_escrow AS escrow
            ON escrow.freelancer_id = account.user_id AND escrow.state = 'released' AND escrow.settled_at IS NULL
         WHERE account.provider = %(provider)s AND account.provider_account_id = %(object_id)s)""",
    # A chargeback that is new is unknown by nature, and has to freeze its escrow at once.
    Subject.DISPUTE: """NOT EXISTS (
        SELECT 1 FROM payments_chargeback
         WHERE provider_dispute_id = %(object_id)s AND closed_at IS NOT NULL)""",
}
_NEVER: Final = "false"


def condition(event: InboundEvent) -> str:
    """Return the SQL that is true when somebody waits for the event's object."""
    return _CONDITIONS.get(event.subject, _NEVER)


def parameters(event: InboundEvent) -> dict[str, str]:
    """Return what the condition asks for beside the event's own columns."""
    return {"account": event.account_id or event.related.get("destination", "")}
