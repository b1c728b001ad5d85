"""Confirmation pages: what a final action will do is shown first, and it is carried out only once it is confirmed."""

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from multitask.errors import DomainError
from multitask.money import Money
from multitask.web.pages.base import error_messages
from multitask.web.pages.base.rendering import carry_out, render_page


@dataclass(frozen=True, slots=True)
class Line:
    """One amount of a confirmation page."""

    label: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """What a final action will do.

    `version` stands for everything on the page that can change: the form sends it back, and if it differs by then
    the page is shown again instead of carrying out what the user has not seen. `fields` are the names and values of
    hidden fields that the form sends back besides the version.
    """

    title: str
    about: str
    lines: tuple[Line, ...] = ()
    consequences: tuple[str, ...]
    warning: str
    button: str
    version: str
    is_destructive: bool = False
    fields: tuple[tuple[str, str], ...] = ()


def confirm_and_carry_out(
    request: HttpRequest,
    confirmation: Confirmation | None,
    command: Callable[[], object],
    *,
    is_done: Callable[[], bool],
    done: str,
    back: str,
) -> HttpResponse:
    """Show the confirmation page, or run the command if the user has confirmed what the page shows now.

    `confirmation` is None where the action is not offered now: then the command is not run, whatever the form says.
    `is_done` reads whether the same user has taken the action already, so that a form that is sent twice gets the
    answer `done` twice.
    """
    confirmed = request.POST.get("confirmed") if request.method == "POST" else None
    if confirmation is None:
        _explain(request, is_confirmed=confirmed is not None, is_done=is_done(), done=done)
        return redirect(back)
    if confirmed != confirmation.version:
        if confirmed is not None:
            _say_changed(request)
        return render_page(request, "confirm.html", {"confirmation": confirmation, "back": back})

    def once() -> None:
        try:
            command()
        except DomainError:
            # The same form may have been sent twice at the same moment.
            if not is_done():
                raise

    return carry_out(request, once, done=done, to=back)


def _explain(request: HttpRequest, *, is_confirmed: bool, is_done: bool, done: str) -> None:
    """Add a message that says why nothing was done."""
    if is_done and is_confirmed:
        messages.success(request, done)
    elif is_done:
        messages.info(request, _("This has been done already."))
    else:
        messages.error(request, str(error_messages.BY_CODE["wrong_state"]))
        _say_changed(request)


def _say_changed(request: HttpRequest) -> None:
    messages.info(request, _("Something has changed since you opened this page. It shows the present state now."))
