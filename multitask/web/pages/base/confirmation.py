"""Confirmation pages: what a final action will do is shown first, and it is carried out only once it is confirmed."""

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from multitask.money import Money
from multitask.web.pages.base import error_messages
from multitask.web.pages.base.rendering import carry_out, render_page, request_key


@dataclass(frozen=True, slots=True)
class Line:
    """One amount of a confirmation page."""

    label: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """What a final action will do.

    `version` stands for everything on the page that can change: the form sends it back, and if it differs by then
    the page is shown again instead of carrying out what the user has not seen.
    """

    title: str
    about: str
    lines: tuple[Line, ...] = ()
    consequences: tuple[str, ...]
    warning: str
    button: str
    version: str
    is_destructive: bool = False


def confirm_and_carry_out(
    request: HttpRequest,
    confirmation: Confirmation | None,
    command: Callable[[], object],
    *,
    done: str,
    back: str,
) -> HttpResponse:
    """Show the confirmation page, or run the command if the user has confirmed what the page shows now.

    `confirmation` is None where the action is not possible any more: then a confirmed form gets the command's refusal,
    or its earlier result if it was sent twice; every other request is redirected to `back`.
    """
    confirmed = request.POST.get("confirmed") if request.method == "POST" else None
    if confirmation is None and confirmed is None:
        messages.error(request, str(error_messages.BY_CODE["wrong_state"]))
        messages.info(request, _("Something has changed since you opened this page. It shows the present state now."))
        return redirect(back)
    if confirmation is not None and confirmed != confirmation.version:
        if confirmed is not None:
            messages.info(
                request, _("Something has changed since you opened this page. It shows the present state now.")
            )
        context = {"confirmation": confirmation, "back": back, "request_key": request_key(request)}
        return render_page(request, "confirm.html", context)
    return carry_out(request, command, done=done, to=back)
