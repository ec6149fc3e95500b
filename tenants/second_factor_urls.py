"""Below ``/accounts/``: where allauth asks for a second factor, or again who somebody is; the names are allauth's."""

from django.urls import path
from django.views.decorators.cache import never_cache

from tenants import second_factor_views as views

urlpatterns = [
    path("code/", views.SignInCode.as_view(), name="mfa_authenticate"),
    path(
        "reauthenticate/",
        never_cache(views.Reauthenticate.as_view()),
        name="account_reauthenticate",
    ),
    path(
        "reauthenticate/code/",
        never_cache(views.ReauthenticateCode.as_view()),
        name="mfa_reauthenticate",
    ),
]
