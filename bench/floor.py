"""The minimum cost of a webhook: a view that only inserts the body as one row."""

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


urlpatterns = [path("bench/floor/", insert), path("", include("multitask.config.urls"))]
