"""Proof of escrow: signed statements of what is owed and held, in which each person finds their own balance.

`owed` reads what is owed to people, `held` what the providers hold, `trees` puts the former into Merkle-sum trees,
`statements` signs one statement per day, `personal` makes each person's own proof. docs/proof.md says what they prove.
"""
