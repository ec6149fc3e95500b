"""allauth's views as our pages have it: what cannot be done answers 422 with the input kept."""

from typing import Any

from allauth.account import views as allauth
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect

from tenants import doors, mail
from tenants.services import sign_up


class SignIn(allauth.LoginView):  # type: ignore[misc]
    def form_invalid(self, form: BaseForm) -> HttpResponse:
        return doors.refused(self, form, str(self.request.POST.get("login", "")).strip())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        offered = sign_up.is_sign_up_offered() and mail.can_send()
        return {**super().get_context_data(**kwargs), "can_sign_up": offered}


class PasswordChange(allauth.PasswordChangeView):  # type: ignore[misc]
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated and not request.user.has_usable_password():
            return redirect("account_reset_password")
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return response

    def form_invalid(self, form: BaseForm) -> HttpResponse:
        return doors.refused(self, form, self.request.user.email)


class PasswordReset(allauth.PasswordResetView):  # type: ignore[misc]
    def form_invalid(self, form: BaseForm) -> HttpResponse:
        return doors.refused(self, form)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "can_send": mail.can_send()}


class NewPassword(allauth.PasswordResetFromKeyView):  # type: ignore[misc]
    def dispatch(
        self, request: HttpRequest, uidb36: str, key: str, **kwargs: Any
    ) -> HttpResponseBase:
        """A key may be tried by opening its link as well, so that counts too."""
        if wait := doors.knock(request, "reset_key", key=uidb36):
            return doors.too_many(request, wait)
        response: HttpResponseBase = super().dispatch(request, uidb36, key, **kwargs)
        return response

    def form_invalid(self, form: BaseForm) -> HttpResponse:
        return doors.refused(self, form)
