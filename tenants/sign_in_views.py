"""allauth's views as our pages have it: what cannot be done answers 422 with the input kept."""

from typing import Any

from allauth.account import views as allauth
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect

from tenants import mail


def _refused(view: Any, form: BaseForm) -> HttpResponse:
    context = view.get_context_data(form=form)
    response: HttpResponse = view.render_to_response(context, status=422)
    return response


class SignIn(allauth.LoginView):  # type: ignore[misc]
    def form_invalid(self, form: BaseForm) -> HttpResponse:
        return _refused(self, form)


class PasswordChange(allauth.PasswordChangeView):  # type: ignore[misc]
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated and not request.user.has_usable_password():
            return redirect("account_reset_password")
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return response

    def form_invalid(self, form: BaseForm) -> HttpResponse:
        return _refused(self, form)


class PasswordReset(allauth.PasswordResetView):  # type: ignore[misc]
    def form_invalid(self, form: BaseForm) -> HttpResponse:
        return _refused(self, form)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "can_send": mail.can_send()}


class NewPassword(allauth.PasswordResetFromKeyView):  # type: ignore[misc]
    def form_invalid(self, form: BaseForm) -> HttpResponse:
        return _refused(self, form)
