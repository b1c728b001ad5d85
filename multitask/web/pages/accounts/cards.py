"""The client's saved cards: what they are recognised by, which is offered first, and how to remove one."""

from dataclasses import dataclass

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from multitask.payments.funding import saved_methods
from multitask.payments.models import SavedMethod
from multitask.payments.operations import engine, routes
from multitask.payments.provider import OffersSavedCards, supports
from multitask.web.pages.base.confirmation import Confirmation, confirm_and_carry_out
from multitask.web.pages.base.rendering import actor_of, carry_out, render_page, signed_in


@dataclass(frozen=True, slots=True)
class CardView:
    """A card for display: `currencies` are those whose payment pages offer it."""

    method: SavedMethod
    name: str
    currencies: str
    is_default: bool


def view(method: SavedMethod) -> CardView:
    """Return the view of a card, whose customer is loaded."""
    offers = supports(engine.provider_named(method.provider), OffersSavedCards)
    served = [currency for currency in routes.currencies() if offers and _provider_of(currency) == method.provider]
    return CardView(
        method=method,
        name=method.brand[:1].upper() + method.brand[1:] if method.brand else _("Card"),
        currencies=", ".join(served),
        is_default=method.provider_method_id == method.customer.default_method_id,
    )


def _provider_of(currency: str) -> str:
    route = routes.find(currency)
    return "" if route is None else route.provider


@require_GET
@signed_in
def show(request: HttpRequest) -> HttpResponse:
    """List the saved cards, newest first."""
    found = saved_methods.owned(actor_of(request)).select_related("customer").order_by("-pk")
    cards = [view(method) for method in found]
    context = {"cards": cards, "is_any_offered": any(card.currencies for card in cards)}
    return render_page(request, "accounts/cards.html", context)


@require_POST
@signed_in
def prefer(request: HttpRequest, method_id: int) -> HttpResponse:
    """Make a card the default."""
    return carry_out(
        request,
        lambda: saved_methods.set_default(actor=actor_of(request), method_id=method_id, now=timezone.now()),
        done=_("Saved. This card is your default now."),
        to=reverse("pages:cards"),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def remove(request: HttpRequest, method_id: int) -> HttpResponse:
    """Show what removing a card means; on POST, remove it."""
    actor = actor_of(request)
    mine = saved_methods.owned(actor, removed=True).select_related("customer").filter(pk=method_id).first()
    if mine is None:
        raise Http404
    return confirm_and_carry_out(
        request,
        None if mine.detached_at else _removal(view(mine)),
        lambda: saved_methods.delete(actor=actor, method_id=method_id, now=timezone.now()),
        is_done=lambda: not saved_methods.owned(actor).filter(pk=method_id).exists(),
        done=_("The card was removed."),
        back=reverse("pages:cards"),
    )


def _removal(shown: CardView) -> Confirmation:
    which = _("%(brand)s, last digits %(digits)s") % {"brand": shown.name, "digits": shown.method.last4 or "–"}
    later = _("It is not offered for later payments. A payment page that you have opened already may still show it.")
    return Confirmation(
        title=_("Remove the card"),
        about=_("Saved cards"),
        consequences=(which, later) if shown.currencies else (which,),
        warning=_("To use it again you enter it with your next payment."),
        button=_("Remove the card"),
        version=str(shown.method.pk),
        is_destructive=True,
    )


urlpatterns = [
    path("profile/cards/", show, name="cards"),
    path("profile/cards/<int:method_id>/first/", prefer, name="card-prefer"),
    path("profile/cards/<int:method_id>/remove/", remove, name="card-remove"),
]
