"""Escrows with their payments, refunds, disputes and chargebacks: the lists, the escrow's page, and its actions."""
