"""The fields of Stripe's events that are stored and shown to staff; every other value is masked."""

from typing import Final

# Ids, kinds, states, reasons, amounts and times. Not: names, addresses, phones, emails, dates of birth, descriptions,
# secrets of the browser. Also in use inside people and billing details, where no field has one of these names for
# anything personal.
SHOWN: Final = frozenset(
    """
    account actionable amount amount_capturable amount_captured amount_received amount_refunded amount_requested
    amount_reversed api_version application application_fee application_fee_amount arrival_date authentication_flow
    available_on balance_transaction brand cancellation_reason canceled_at capabilities capture_method card_payments
    charge code confirmation_method created currency currently_due current_deadline customer decline_code delay_days
    destination destination_payment disabled_reason due_by evaluated_at eventually_due exchange_rate
    failure_balance_transaction failure_code failure_reason fee fraud_type funding id idempotency_key interval
    last_payment_error latest_attempt latest_charge latest_revision method net network network_decline_code
    network_reason_code network_status object on_behalf_of past_due payment_intent payment_method
    payment_method_types payout pending_verification pending_webhooks previous_attributes reason reference refund
    request requirement result result_reason reversal risk_level risk_score setup_future_usage setup_intent
    source_refund source_transaction source_transfer source_type status submission_count transfer transfer_group
    transfers type usage version
    """.split()  # noqa: SIM905 - a list of a hundred quoted words would be harder to read
)
# Of a card or bank account.
LAST_FOUR: Final = frozenset({"last4"})
