"""An offline Paymob: collecting by card, wallet and kiosk, and payouts from a budget that is paid in advance."""
