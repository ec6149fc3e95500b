"""Below ``/account/``: a person's own pages."""

from django.urls import path

from tenants import account_views, second_factor_views

urlpatterns = [
    path("", account_views.account, name="account"),
    path("sessions/", account_views.session_list, name="session-list"),
    path("sessions/end-others/", account_views.session_end_others, name="session-end-others"),
    path("sessions/<int:pk>/end/", account_views.session_end, name="session-end"),
    path("api-sign-ins/<int:pk>/end/", account_views.api_sign_in_end, name="api-sign-in-end"),
    path("second-factor/", second_factor_views.second_factor, name="second-factor"),
    path("second-factor/off/", second_factor_views.second_factor_off, name="second-factor-off"),
    path("second-factor/codes/", second_factor_views.recovery_codes, name="recovery-codes"),
]
