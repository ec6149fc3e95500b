"""Django's admin as an app of this installation. Not in ``apps``: there Django would take it for this package's own."""

from django.contrib.admin.apps import AdminConfig


class OperatorAdminConfig(AdminConfig):
    """With our site as the one that everything is registered at."""

    default_site = "datanika_site.admin_site.OperatorSite"
