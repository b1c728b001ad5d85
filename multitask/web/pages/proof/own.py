"""The download with which a person proves their own balances."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from multitask.payments.books.proof import personal
from multitask.web.pages.base.rendering import signed_in, user_of


@require_safe
@signed_in
def download(request: HttpRequest) -> HttpResponse:
    """Download the user's proof for the newest statement; without a statement, lead to the page that says so."""
    found = personal.proof(user_id=user_of(request).pk)
    if found is None:
        messages.info(request, _("The first statement is not made yet. Come back tomorrow."))
        return redirect("pages:proof")
    response = JsonResponse(found, json_dumps_params={"indent": 1})
    response["Content-Disposition"] = 'attachment; filename="my-proof.json"'
    response["Cache-Control"] = "no-store"
    return response


urlpatterns = [path("wallet/proof/", download, name="proof-own")]
