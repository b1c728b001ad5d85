"""The API, built once, and the URLs around it."""

from functools import partial

from django.urls import include, path
from ninja import NinjaAPI

from multitask.web.api import accounts, document, error_statuses, health, metrics, tasks
from multitask.web.api.auth import AUTH, lacks_second_factor
from multitask.web.api.parsing import StrictParser, require_known_parameters

DESCRIPTION = (
    "Escrow payments for a marketplace: a client funds a task, confirms its completion, "
    "the freelancer is paid. Amounts are decimal strings in major units. Errors answer "
    "{error, code, detail, fields}. Everything under /payments/ answers under /api/payments/ too."
)


def build() -> NinjaAPI:
    """Build the API from its resources."""
    api = NinjaAPI(
        title="MultiTask Payments",
        version="1.0.0",
        description=DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        urls_namespace="multitask-api",
        auth=AUTH,
        parser=StrictParser(),
    )
    error_statuses.install(api, lacks_second_factor=lacks_second_factor)
    api.add_router("/api/auth", accounts.router)
    api.add_router("/api/tasks", tasks.router)
    _add_payments(api)
    require_known_parameters(api)
    return api


def _add_payments(api: NinjaAPI) -> None:
    """Mount the payments twice and document them once."""
    from multitask.web.api.payments import router

    api.add_router("/payments", router)
    api.add_router("/api/payments", router, url_name_prefix="api")
    for bound in api._get_bound_routers():
        if bound.url_name_prefix is not None:
            for view in bound.path_operations.values():
                for operation in view.operations:
                    operation.include_in_schema = False


api = build()
# The router adds a view for the empty path, which belongs to the pages here.
_patterns = [pattern for pattern in api.urls[0] if getattr(pattern, "name", None) != "api-root"]
# Django tries one pattern after the other, so what is asked for most comes first.
_OFTEN = frozenset(
    {
        "payments/wallet/",
        "payments/wallet/transactions/",
        "payments/escrow/<escrow_id>/",
        "payments/escrow/<escrow_id>/release/",
        "payments/withdrawals/create/",
    }
)
_patterns.sort(key=lambda pattern: str(pattern.pattern) not in _OFTEN)

urlpatterns = [
    path("openapi.json", partial(document.json_view, api=api), name="openapi"),
    path("docs/", partial(document.page_view, api=api), name="docs"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.view, name="metrics"),
    path("", include((_patterns, "ninja"), namespace="api")),
]
