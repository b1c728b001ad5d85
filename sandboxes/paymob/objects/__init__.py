"""What exists at Paymob: intentions and orders, transactions, saved cards, settlements, payouts, top-ups."""
