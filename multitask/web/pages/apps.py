"""The Django app of the pages."""

from django.apps import AppConfig


class PagesConfig(AppConfig):
    """Contains templates, styles and translations; no tables and no rules."""

    name = "multitask.web.pages"
    label = "pages"
