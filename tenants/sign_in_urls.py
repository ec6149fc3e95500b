"""Ways in, ours and those of allauth's pages in use; the names are allauth's, which reverses them itself."""

from allauth.account import views as allauth
from django.urls import path, re_path

from tenants import address_views, sign_up_views
from tenants import sign_in_views as views

urlpatterns = [
    path("login/", views.SignIn.as_view(), name="account_login"),
    path("logout/", allauth.logout, name="account_logout"),
    path("signup/", sign_up_views.sign_up, name="account_signup"),
    path("verify/sent/", sign_up_views.look_into_mail, name="account_email_verification_sent"),
    path("verify/again/", address_views.send_verification, name="account_verify"),
    path("verify/<str:token>/", sign_up_views.verify, name="account_confirm_email"),
    path("email/", address_views.change_email, name="account_email"),
    path("email/<str:token>/", address_views.confirm_email, name="account_email_confirm"),
    path("inactive/", allauth.account_inactive, name="account_inactive"),
    path("password/change/", views.PasswordChange.as_view(), name="account_change_password"),
    path("password/reset/", views.PasswordReset.as_view(), name="account_reset_password"),
    path("password/reset/done/", allauth.password_reset_done, name="account_reset_password_done"),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        views.NewPassword.as_view(),
        name="account_reset_password_from_key",
    ),
    path(
        "password/reset/key/done/",
        allauth.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
]
