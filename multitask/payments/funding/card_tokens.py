"""Saved cards of providers whose tokens we store (`OffersSavedCards`): taken from a webhook, offered to their owner."""

import uuid
from datetime import datetime
from typing import Final

from django.db import IntegrityError
from django.db.models import Case, F, QuerySet, When

from multitask import database
from multitask.payments.books import audit
from multitask.payments.funding import customers, saved_methods
from multitask.payments.models import CardToken, Customer, Payment, SavedMethod
from multitask.payments.operations import engine
from multitask.payments.payouts import encryption
from multitask.payments.provider import OffersSavedCards, Payer, Provider, SavedCard, supporting, supports
from multitask.users.actor import Actor

_KIND: Final = "card"
_ANOTHERS: Final = "The card is another client's."


@database.transactional
def store(provider: str, card: SavedCard, now: datetime) -> str:
    """Store a card for the client who saved it; return why it is not stored, or "".

    A newer token replaces that of the same card. One that is older than what happened to the card since is ignored,
    whatever its number: a callback that comes late brings back no card that its owner has removed.
    """
    paid = Payment.objects.filter(provider=provider, provider_payment_id=card.payment_id)
    payment = paid.select_related("escrow__client").first()
    if payment is None:
        return "The card was saved with a payment that is not ours."
    client = payment.escrow.client
    offers = supporting(engine.provider_named(provider), OffersSavedCards)
    if not offers.is_saved_by(card, Payer(name=client.username, email=client.email)):
        return "The card was saved under an address that is not the client's."
    customer, _ = customers.intend(client, provider, now)
    return _why_not(customer, card) or _keep(customer, card, now)


def _why_not(customer: Customer, card: SavedCard) -> str:
    known = SavedMethod.objects.filter(provider=customer.provider, provider_method_id=card.id).first()
    if known is not None and known.customer_id != customer.pk:
        return _ANOTHERS
    same = _same_card(customer, card)
    if same.filter(token__saved_at__gt=card.saved_at).exists():
        return "The card was saved again since."
    if same.filter(detached_at__gte=card.saved_at).exists():
        return "The card was removed since."
    return ""


def _same_card(customer: Customer, card: SavedCard) -> QuerySet[SavedMethod]:
    """Select the client's cards that look the same, and that with the same id, removed ones too."""
    cards = SavedMethod.objects.filter(customer=customer)
    same_id = cards.filter(provider_method_id=card.id)
    return cards.filter(brand=card.brand, last4=card.last4) | same_id if card.last4 else same_id


def _keep(customer: Customer, card: SavedCard, now: datetime) -> str:
    """Store the card in place of those that look the same; return why it is not stored, or ""."""
    same = _same_card(customer, card).filter(detached_at=None).exclude(provider_method_id=card.id)
    replaced = list(same.values_list("pk", "provider_method_id"))
    facts = {"kind": _KIND, "brand": card.brand, "last4": card.last4, "detached_at": None}
    try:
        method, _ = SavedMethod.objects.update_or_create(
            customer=customer,
            provider=customer.provider,
            provider_method_id=card.id,
            defaults=facts,
            create_defaults=facts | {"created_at": now},
        )
    except IntegrityError:
        # Another client's card with this number was stored at this moment.
        return _ANOTHERS
    ended = [pk for pk, _ in replaced]
    # It counts as removed from when the newer one was saved: what was saved later still is newer.
    SavedMethod.objects.filter(pk__in=ended).update(detached_at=card.saved_at)
    if customer.default_method_id in {method_id for _, method_id in replaced}:
        Customer.objects.filter(pk=customer.pk).update(default_method_id=card.id)
    CardToken.objects.filter(method__in=[*ended, method.pk]).delete()
    row = uuid.uuid4()
    encrypted = encryption.encrypt(row, {"token": card.token})
    CardToken.objects.create(public_id=row, method=method, encrypted=encrypted, saved_at=card.saved_at)
    audit.record("method_saved", actor=Actor.system("provider"), now=now, user_id=customer.user_id)
    return ""


@database.transactional
def forget_refused(customer_id: int, token: str, now: datetime) -> None:
    """Remove the card of a token that the provider does not know any more."""
    stored = CardToken.objects.filter(method__customer=customer_id).select_related("method__customer")
    for each in stored:
        if encryption.decrypted_or_none(each.public_id, each.encrypted) == {"token": token}:
            saved_methods.forget(each.method, Actor.system("provider"), now)


def offered(provider: Provider, customer_id: int) -> tuple[str, ...]:
    """Return the tokens of the cards that a payment page offers a customer: the default card, then the newest ones.

    Empty where the provider stores cards itself. A token that no key decrypts is left out.
    """
    if not supports(provider, OffersSavedCards):
        return ()
    most = supporting(provider, OffersSavedCards).most_saved_cards
    found: list[str] = []
    is_default = When(method__provider_method_id=F("method__customer__default_method_id"), then=0)
    stored = CardToken.objects.filter(method__customer=customer_id, method__detached_at=None)
    for token in stored.order_by(Case(is_default, default=1), "-saved_at", "-pk"):
        values = encryption.decrypted_or_none(token.public_id, token.encrypted)
        if values is not None:
            found.append(values["token"])
        if len(found) == most:
            break
    return tuple(found)
