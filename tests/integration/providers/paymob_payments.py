"""Payments at the offline Paymob, and refunds of them, for tests."""

from typing import Any

from multitask.money import Money
from multitask.payments.provider import Payer, PaymentState
from multitask.providers.paymob.adapter import PaymobProvider
from tests.contract.paymob_rig import PaymobRig
from tests.contract.rigs import GOOD_CARD

HUNDRED = Money(10_000, "EGP")
NOTHING = Money(0, "EGP")


def create(provider: PaymobProvider, name: str, generation: int = 1, payer: Payer | None = None) -> PaymentState:
    return provider.create_payment(
        reference=name,
        amount=HUNDRED,
        customer_id="",
        description="A task",
        key=f"{name}:{generation}",
        payer=payer or Payer(),
    )


def pay(rig: PaymobRig, payment: PaymentState, how: str = GOOD_CARD) -> dict[str, Any]:
    assert payment.continuation is not None
    return rig.pay(payment.continuation.token, how)


def paid(rig: PaymobRig, provider: PaymobProvider, name: str, how: str = GOOD_CARD) -> PaymentState:
    payment = create(provider, name)
    pay(rig, payment, how)
    return provider.read_payment(payment.id)


def refund(provider: PaymobProvider, payment: PaymentState, amount: Money = HUNDRED) -> Any:
    return provider.create_refund(
        reference="create_refund:1:1",
        payment_id=payment.id,
        amount=amount,
        key="create_refund:1:1:1",
        collection_id=payment.collection_id,
    )


def search(provider: PaymobProvider, payment: PaymentState, amount: Money = HUNDRED, refunded: Money = NOTHING) -> Any:
    return provider.find_refund(
        reference="create_refund:1:1",
        payment_id=payment.id,
        collection_id=payment.collection_id,
        amount=amount,
        refunded=refunded,
    )


def refunds_of(rig: PaymobRig, payment: PaymentState) -> int:
    return sum(
        1
        for each in rig.sandbox.money()["transactions"]
        if str(each["order"]) == payment.id and each["kind"] in {"refund", "void"} and each["status"] == "approved"
    )
