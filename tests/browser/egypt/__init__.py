"""The Egyptian story by clicking: a marketplace in EGP with the offline Paymob."""
