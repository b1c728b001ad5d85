"""`/payments/`: one file per resource, put together here."""

from ninja import Router

router = Router(tags=["payments"])
