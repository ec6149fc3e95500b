"""Alert channels: the list, the form, a test, a new secret, deleting."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from alerts import selectors, services
from alerts.forms import ChannelForm, put_error
from alerts.models import AlertChannel, ChannelKind, DeliveryStatus
from alerts.pages import tabs
from common.access import OrganizationRequest, Permission, requires
from common.errors import DatanikaError
from common.http import get_or_404, render_page, say, warn
from tenants import mail

#: Kind → icon.
ICONS = {ChannelKind.EMAIL: "mail", ChannelKind.WEBHOOK: "webhook", ChannelKind.SLACK: "hash"}


@require_GET
@requires(Permission.VIEW)
def channel_list(request: OrganizationRequest) -> HttpResponse:
    organization = request.organization
    uses = selectors.uses_of_channels(organization)
    last = selectors.last_deliveries(organization)
    channels = list(selectors.channels_of(organization))
    context = {
        "tabs": tabs(organization, "channels"),
        "rows": [
            {
                "channel": channel,
                "icon": ICONS[ChannelKind(channel.kind)],
                "uses": uses[channel.pk],
                "last": last.get(channel.pk),
            }
            for channel in channels
        ],
        "kinds": _kinds(),
        "can_edit": request.actor.can(Permission.EDIT),
        "mail_missing": not mail.can_send()
        and any(channel.kind == ChannelKind.EMAIL for channel in channels),
    }
    return render_page(request, "alerts/channel_list.html", context)


def _kinds() -> list[dict[str, Any]]:
    return [{"key": kind.value, "label": kind.label, "icon": ICONS[kind]} for kind in ChannelKind]


def _channel(request: OrganizationRequest, slug: str) -> AlertChannel:
    rows = AlertChannel.objects.for_organization(request.organization)
    return get_or_404(rows.select_related("organization"), slug=slug)


@never_cache
@require_http_methods(["GET", "POST"])
@requires(Permission.EDIT)
def channel_create(request: OrganizationRequest) -> HttpResponse:
    """A POST of a webhook is answered with its secret: it is nowhere to be read afterwards."""
    wanted = request.GET.get("kind", ChannelKind.EMAIL)
    kind = ChannelKind(wanted) if wanted in ChannelKind.values else ChannelKind.EMAIL
    form = ChannelForm(request.POST or None, kind=kind)
    if request.method == "POST" and form.is_valid():
        try:
            channel, secret = services.create_channel(
                organization=request.organization,
                actor=request.actor,
                kind=kind,
                settings=form.settings,
            )
        except DatanikaError as error:
            put_error(form, error)
        else:
            if secret:
                return _secret_page(request, channel, secret)
            say(request, _("“%s” is ready. Send a test to see that it works.") % channel.name)
            return redirect("alerts:channel-list", request.organization.slug)
    return _form_page(request, form, kind, None)


@require_http_methods(["GET", "POST"])
@requires(Permission.EDIT)
def channel_update(request: OrganizationRequest, slug: str) -> HttpResponse:
    channel = _channel(request, slug)
    initial = {"name": channel.name, "addresses": channel.addresses}
    form = ChannelForm(request.POST or None, kind=channel.kind, channel=channel, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            services.update_channel(channel=channel, actor=request.actor, settings=form.settings)
        except DatanikaError as error:
            put_error(form, error)
        else:
            say(request, _("“%s” is saved.") % channel.name)
            return redirect("alerts:channel-list", request.organization.slug)
    return _form_page(request, form, ChannelKind(channel.kind), channel)


def _form_page(
    request: OrganizationRequest, form: ChannelForm, kind: ChannelKind, channel: AlertChannel | None
) -> HttpResponse:
    context = {
        "form": form,
        "kind": kind,
        "channel": channel,
        "kinds": [
            {"label": each["label"], "url": f"?kind={each['key']}", "current": each["key"] == kind}
            for each in _kinds()
        ],
        "mail_missing": kind == ChannelKind.EMAIL and not mail.can_send(),
    }
    status = 422 if request.method == "POST" else 200
    return render_page(request, "alerts/channel_form.html", context, status=status)


def _secret_page(request: OrganizationRequest, channel: AlertChannel, secret: str) -> HttpResponse:
    context = {"channel": channel, "secret": secret}
    return render_page(request, "alerts/channel_secret.html", context)


@require_POST
@requires(Permission.EDIT)
def channel_test(request: OrganizationRequest, slug: str) -> HttpResponse:
    channel = _channel(request, slug)
    delivery = services.send_test(channel=channel, actor=request.actor)
    if delivery.status == DeliveryStatus.DELIVERED:
        say(request, _("The test reached “%s”.") % channel.name)
    else:
        text = _("The test did not reach “%(name)s”. %(error)s")
        warn(request, text % {"name": channel.name, "error": delivery.last_error})
    return redirect("alerts:channel-list", request.organization.slug)


@never_cache
@require_POST
@requires(Permission.EDIT)
def channel_renew(request: OrganizationRequest, slug: str) -> HttpResponse:
    """Answers with the new secret: it is nowhere to be read afterwards."""
    channel = _channel(request, slug)
    secret = services.renew_secret(channel=channel, actor=request.actor)
    return _secret_page(request, channel, secret)


@require_POST
@requires(Permission.EDIT)
def channel_delete(request: OrganizationRequest, slug: str) -> HttpResponse:
    channel = _channel(request, slug)
    name = channel.name
    services.delete_channel(channel=channel, actor=request.actor)
    say(request, _("“%s” is deleted.") % name)
    return redirect("alerts:channel-list", request.organization.slug)
