"""The Django app of the back office: its templates and styles, and the lists that its site shows."""

from django.apps import AppConfig


class BackofficeConfig(AppConfig):
    """Registers every list with the site, in every process."""

    name = "multitask.web.backoffice"
    label = "backoffice"

    def ready(self) -> None:
        """Install the lists of the registry."""
        from multitask.web.backoffice import registry
        from multitask.web.backoffice.base.site import site

        for model, shown_as in registry.LISTS.items():
            site.register(model, shown_as)
