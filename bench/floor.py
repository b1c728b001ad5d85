"""The minimum cost of a request: a view with one SELECT, and of a webhook: one that only inserts the body as a row."""

from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt


@csrf_exempt
def insert(request: HttpRequest) -> HttpResponse:
    """Store the body with the id from its header."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO bench_floor (event_id, payload) VALUES (%s, %s)",
            [request.META["HTTP_X_EVENT_ID"], request.body.decode()],
        )
    return JsonResponse({"received": True})


def select(request: HttpRequest) -> HttpResponse:
    """Return the name of the user with the id of the query."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, username FROM users_user WHERE id = %s", [request.GET["user"]])
        ((number, name),) = cursor.fetchall()
    return JsonResponse({"id": number, "username": name})


urlpatterns = [
    path("bench/floor/", insert),
    path("bench/select/", select),
    # The same view on the way that requests with an access token take.
    path("api/bench/select/", select),
    path("", include("multitask.config.urls")),
]
