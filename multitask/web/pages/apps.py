"""The Django app of the pages."""

from django.apps import AppConfig


class PagesConfig(AppConfig):
    """Holds templates, styles and translations; no tables, no rules."""

    name = "multitask.web.pages"
    label = "pages"
