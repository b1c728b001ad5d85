"""The least that a webhook could cost: a view that inserts the body as one row, and nothing more."""

from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt


@csrf_exempt
def insert(request: HttpRequest) -> HttpResponse:
    """Store the body under the id in its header."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO bench_floor (event_id, payload) VALUES (%s, %s)",
            [request.META["HTTP_X_EVENT_ID"], request.body.decode()],
        )
    return JsonResponse({"received": True})


urlpatterns = [path("bench/floor/", insert), path("", include("multitask.config.urls"))]
