"""The fields of Paymob's callbacks that are stored and shown to staff; every other value is masked."""

from typing import Final

# Ids, kinds, states, reasons, amounts and times. Not: `billing_data`, `shipping_data` and what a gateway repeats of
# them in `data`, nor `token`, which pays.
SHOWN: Final = frozenset(
    """
    accept_fees acq_response_code amount amount_cents api_source captured_amount card_subtype created_at currency
    delivery_status gateway_integration_pk id integration_id merchant_commission merchant_id merchant_order_id message
    next_payment_intention obj order order_id owner paid_amount_cents parent_transaction payment_method
    payment_status profile_id refunded_amount_cents source_id special_reference sub_type terminal_id
    txn_response_code type updated_at user_id
    """.split()  # noqa: SIM905 - a list of so many quoted words would be harder to read
)
# `pan` is masked by Paymob for cards only: for a wallet it is the payer's whole phone number.
LAST_FOUR: Final = frozenset({"pan", "masked_pan"})
