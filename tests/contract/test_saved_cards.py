"""Saved cards whose tokens the platform stores: brought by a webhook, offered on later payment pages."""

from datetime import timedelta

import pytest

from multitask.payments.provider import OffersSavedCards, Payer, PaymentState, SavedCard, Subject
from tests.contract.conftest import People
from tests.contract.rigs import AnyProvider, Rig

pytestmark = pytest.mark.needs.with_args(OffersSavedCards)

MONA = Payer(name="Mona Ali", email="mona@example.com")


def payment(provider: AnyProvider, people: People, name: str, payer: Payer = MONA) -> PaymentState:
    return provider.create_payment(
        reference=name, amount=people.hundred, customer_id="", description="", key=name, payer=payer
    )


def saved(rig: Rig, provider: AnyProvider, people: People, name: str) -> SavedCard:
    event = rig.pay_and_save(payment(provider, people, name).continuation.token)
    assert event.saved_card is not None
    return event.saved_card


def test_a_webhook_brings_the_card_its_payment_and_its_payer(
    rig: Rig, provider: AnyProvider, people: People, name: str
) -> None:
    made = payment(provider, people, name)
    event = rig.pay_and_save(made.continuation.token)
    card = event.saved_card
    assert card is not None
    assert (event.subject, event.quarantine_reason) == (Subject.NOTHING, "")
    assert (card.payment_id, len(card.last4)) == (made.id, 4)
    assert card.id
    assert card.token
    assert card.brand
    assert abs(card.saved_at - rig.now()) < timedelta(minutes=1)
    assert provider.is_saved_by(card, MONA)
    assert not provider.is_saved_by(card, Payer(name="Mona Ali", email="another@example.com"))
    assert card.token not in repr(event)
    assert MONA.email not in repr(event)


def test_saved_cards_are_offered_in_order_up_to_the_most(
    rig: Rig, provider: AnyProvider, people: People, name: str
) -> None:
    names = [f"{name}:{number}" for number in range(provider.most_saved_cards + 1)]
    tokens = tuple(saved(rig, provider, people, each).token for each in names)
    made = payment(provider, people, f"{name}:again", Payer(email=MONA.email, card_tokens=tokens))
    assert rig.cards_offered(made.id) == list(tokens[: provider.most_saved_cards])
    without = payment(provider, people, f"{name}:without")
    assert rig.cards_offered(without.id) == []


def test_a_card_that_the_provider_does_not_know_keeps_nobody_from_paying(
    rig: Rig, provider: AnyProvider, people: People, name: str
) -> None:
    known = saved(rig, provider, people, name).token
    made = payment(provider, people, f"{name}:again", Payer(email=MONA.email, card_tokens=(known, "unknown")))
    assert (rig.cards_offered(made.id), made.refused_card) == ([known], "unknown")
    assert "unknown" not in repr(made)
    rig.pay(made.continuation.token)
    assert provider.read_payment(made.id).received == people.hundred
    alone = payment(provider, people, f"{name}:alone", Payer(email=MONA.email, card_tokens=("unknown",)))
    assert (rig.cards_offered(alone.id), alone.refused_card) == ([], "unknown")
