"""A marketplace with the offline Stripe, whose people are given proofs."""

from tests.integration.payments.conftest import sandbox, world

__all__ = ["sandbox", "world"]
