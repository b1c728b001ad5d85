"""Every address of the back office: those that read, and the one that carries out an action."""

from typing import Final

from django.urls import URLPattern, URLResolver, include, path
from django.views.decorators.http import require_POST

from multitask.web.backoffice import registry
from multitask.web.backoffice.base import confirmation
from multitask.web.backoffice.base.site import site
from multitask.web.backoffice.chargebacks import page as chargeback_page
from multitask.web.backoffice.home import page as home
from multitask.web.backoffice.payouts import budget_page
from multitask.web.backoffice.search import views as search

# Unfold's own templates look the addresses up in this namespace.
app_name: Final = "admin"

_staff = site.admin_view
_confirm = _staff(confirmation.view(registry.ACTIONS))

urlpatterns: list[URLPattern | URLResolver] = [
    path("", _staff(home.show), name="index"),
    path("find/", _staff(search.show), name="find"),
    path("search/", _staff(search.palette), name="search"),
    path("do/<slug:name>/", _confirm, name="action"),
    path("do/<slug:name>/<int:subject_id>/", _confirm, name="action"),
    path("evidence-files/<int:file_id>/", _staff(chargeback_page.file), name="evidence-file"),
    path("budget-files/<int:record_id>/", _staff(budget_page.file), name="budget-file"),
    path("jsi18n/", _staff(site.i18n_javascript, cacheable=True), name="jsi18n"),
    path("login/", site.login, name="login"),
    path("logout/", _staff(require_POST(site.sign_out)), name="logout"),
    path("password_change/", _staff(site.profile), name="password_change"),
    *(
        path(f"{model._meta.app_label}/{model._meta.model_name}/", include(site.get_model_admin(model).urls))
        for model in registry.LISTS
    ),
    path("<slug:app_label>/", _staff(site.app_index), name="app_list"),
]
