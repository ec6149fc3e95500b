"""The events as sentences: who did *this* to what."""

import json
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from audit.actions import AuditAction
from audit.models import AuditEvent

#: Action → the predicate of the sentence; the actor stands before it, the target after it.
PREDICATES: dict[AuditAction, str | Promise] = {
    AuditAction.ORGANIZATION_CREATED: _("created the organization"),
    AuditAction.ORGANIZATION_UPDATED: _("changed the settings of"),
    AuditAction.ORGANIZATION_HANDED_OVER: _("handed over the organization"),
    AuditAction.ORGANIZATION_DELETED: _("deleted the organization"),
    AuditAction.ORGANIZATION_RESTORED: _("restored the organization"),
    AuditAction.ORGANIZATION_REMOVED: _("removed for good the organization"),
    AuditAction.ORGANIZATION_SUSPENDED: _("suspended the organization"),
    AuditAction.ORGANIZATION_RESUMED: _("ended the suspension of"),
    AuditAction.ORGANIZATION_ENTERED: _("looked as operator into"),
    AuditAction.MEMBER_ADDED: _("added the member"),
    AuditAction.MEMBER_ROLE_CHANGED: _("changed the role of"),
    AuditAction.MEMBER_REMOVED: _("removed the member"),
    AuditAction.MEMBER_LEFT: _("left the organization"),
    AuditAction.INVITATION_CREATED: _("invited"),
    AuditAction.INVITATION_RESENT: _("sent the invitation again to"),
    AuditAction.INVITATION_REVOKED: _("revoked the invitation of"),
    AuditAction.INVITATION_ACCEPTED: _("accepted the invitation as"),
    AuditAction.API_KEY_CREATED: _("created the API key"),
    AuditAction.API_KEY_REVOKED: _("revoked the API key"),
    AuditAction.API_KEY_ROTATED: _("rotated the API key"),
    AuditAction.TOKEN_ISSUED: _("signed in for the API"),
    AuditAction.TOKEN_REVOKED: _("ended the API sign-in"),
    AuditAction.TOKEN_REUSED: _("presented a used refresh token; ended"),
    AuditAction.GRANT_GIVEN: _("shared"),
    AuditAction.GRANT_TAKEN: _("stopped sharing"),
    AuditAction.PERMISSION_REFUSED: _("was refused:"),
    AuditAction.AUDIT_EXPORTED: _("exported the audit log"),
    AuditAction.AUDIT_PRUNED: _("removed old events of the audit log"),
    AuditAction.DATA_EXPORTED: _("exported"),
    AuditAction.TRASH_PURGED: _("removed for good"),
    AuditAction.CONNECTION_CREATED: _("created the connection"),
    AuditAction.CONNECTION_UPDATED: _("changed the connection"),
    AuditAction.CONNECTION_SECRETS_CHANGED: _("changed secrets of the connection"),
    AuditAction.CONNECTION_CHECKED: _("tested the connection"),
    AuditAction.CONNECTION_DELETED: _("deleted the connection"),
    AuditAction.CONNECTION_RESTORED: _("restored the connection"),
    AuditAction.FILE_UPLOADED: _("uploaded a file to"),
    AuditAction.FILE_DELETED: _("deleted a file of"),
    AuditAction.PIPELINE_CREATED: _("created the pipeline"),
    AuditAction.PIPELINE_UPDATED: _("changed the pipeline"),
    AuditAction.PIPELINE_PAUSED: _("paused the pipeline"),
    AuditAction.PIPELINE_RESUMED: _("resumed the pipeline"),
    AuditAction.PIPELINE_DELETED: _("deleted the pipeline"),
    AuditAction.PIPELINE_RESTORED: _("restored the pipeline"),
    AuditAction.PIPELINE_CURSOR_SET: _("set a cursor of the pipeline"),
    AuditAction.PIPELINE_REJECTS_DISCARDED: _("discarded rejected rows of the pipeline"),
    AuditAction.TRANSFORMATION_CREATED: _("created the transformation"),
    AuditAction.TRANSFORMATION_UPDATED: _("changed the transformation"),
    AuditAction.TRANSFORMATION_DELETED: _("deleted the transformation"),
    AuditAction.TRANSFORMATION_RESTORED: _("restored the transformation"),
    AuditAction.DEPENDENCY_ADDED: _("added the dependency"),
    AuditAction.DEPENDENCY_UPDATED: _("changed the dependency"),
    AuditAction.DEPENDENCY_REMOVED: _("removed the dependency"),
    AuditAction.NODE_RULE_CHANGED: _("changed when it runs:"),
    AuditAction.SCHEDULE_CREATED: _("created the schedule"),
    AuditAction.SCHEDULE_UPDATED: _("changed the schedule"),
    AuditAction.SCHEDULE_PAUSED: _("paused the schedule"),
    AuditAction.SCHEDULE_RESUMED: _("resumed the schedule"),
    AuditAction.SCHEDULE_DELETED: _("deleted the schedule"),
    AuditAction.SCHEDULE_RESTORED: _("restored the schedule"),
    AuditAction.ALL_SCHEDULES_PAUSED: _("paused all schedules of"),
    AuditAction.ALL_SCHEDULES_RESUMED: _("resumed all schedules of"),
    AuditAction.BACKFILL_REQUESTED: _("started the backfill"),
    AuditAction.BACKFILL_PAUSED: _("paused the backfill"),
    AuditAction.BACKFILL_RESUMED: _("resumed the backfill"),
    AuditAction.BACKFILL_CANCELLED: _("cancelled the backfill"),
    AuditAction.BACKFILL_RETRIED: _("repeated failed slices of the backfill"),
    AuditAction.ALERT_RULE_CREATED: _("created the alert rule"),
    AuditAction.ALERT_RULE_UPDATED: _("changed the alert rule"),
    AuditAction.ALERT_RULE_DELETED: _("deleted the alert rule"),
    AuditAction.ALERT_RULE_MUTED: _("muted the alert rule"),
    AuditAction.ALERT_RULE_UNMUTED: _("unmuted the alert rule"),
    AuditAction.ALERT_CHANNEL_CREATED: _("created the alert channel"),
    AuditAction.ALERT_CHANNEL_UPDATED: _("changed the alert channel"),
    AuditAction.ALERT_CHANNEL_DELETED: _("deleted the alert channel"),
    AuditAction.ALERT_CHANNEL_TESTED: _("tested the alert channel"),
    AuditAction.ALERT_DELIVERY_RETRIED: _("sent the alert again:"),
    AuditAction.RUN_REQUESTED: _("started"),
    AuditAction.RUN_CANCELLED: _("cancelled"),
    AuditAction.PLATFORM_UPDATED: _("changed the platform settings"),
    AuditAction.PROVIDER_CREATED: _("set up the sign-in with"),
    AuditAction.PROVIDER_UPDATED: _("changed the sign-in with"),
    AuditAction.PROVIDER_DELETED: _("removed the sign-in with"),
    AuditAction.ENCRYPTION_KEY_ROTATED: _("encrypted the secrets with the newest key"),
    AuditAction.SIGNED_UP: _("signed up as"),
    AuditAction.USER_CREATED: _("made an account for"),
    AuditAction.USER_RIGHTS_CHANGED: _("changed the operator's rights of"),
    AuditAction.USER_DEACTIVATED: _("deactivated"),
    AuditAction.USER_REACTIVATED: _("reactivated"),
    AuditAction.STEP_REQUEUED: _("put back into the queue:"),
    AuditAction.SIGNED_IN: _("signed in"),
    AuditAction.SIGN_IN_FAILED: _("failed to sign in"),
    AuditAction.SIGNED_OUT: _("signed out"),
    AuditAction.SESSIONS_ENDED: _("ended their other sessions"),
    AuditAction.PASSWORD_CHANGED: _("changed their password"),
    AuditAction.EMAIL_CHANGED: _("changed their e-mail address"),
    AuditAction.EMAIL_VERIFIED: _("verified their e-mail address"),
    AuditAction.MFA_ENABLED: _("switched on a second factor"),
    AuditAction.MFA_DISABLED: _("switched off a second factor"),
    AuditAction.MFA_REMOVED: _("removed the second factor of"),
    AuditAction.RECOVERY_CODES_MADE: _("made new recovery codes"),
    AuditAction.PROVIDER_LINKED: _("linked a sign-in"),
    AuditAction.PROVIDER_UNLINKED: _("unlinked a sign-in"),
}

#: The sentence ends with the predicate: the target is the actor.
ABOUT_THEMSELVES = frozenset(
    {
        AuditAction.SIGNED_IN,
        AuditAction.SIGN_IN_FAILED,
        AuditAction.SIGNED_OUT,
        AuditAction.SESSIONS_ENDED,
        AuditAction.PASSWORD_CHANGED,
        AuditAction.EMAIL_CHANGED,
        AuditAction.EMAIL_VERIFIED,
        AuditAction.MFA_ENABLED,
        AuditAction.MFA_DISABLED,
        AuditAction.RECOVERY_CODES_MADE,
        AuditAction.PROVIDER_LINKED,
        AuditAction.PROVIDER_UNLINKED,
        AuditAction.TOKEN_ISSUED,
    }
)

ACTOR_KINDS: dict[str, str | Promise] = {
    "user": _("person"),
    "api_key": _("API key"),
    "schedule": _("schedule"),
    "backfill": _("backfill"),
    "operator": _("operator"),
    "unknown": _("not signed in"),
}


#: The types whose name in the database is not their word.
_THINGS: dict[str, str | Promise] = {
    "apikey": _("API key"),
    "alertchannel": _("Alert channel"),
    "alertdelivery": _("Notification"),
    "alertrule": _("Alert rule"),
    "identityprovider": _("Sign-in provider"),
    "platformsettings": _("Platform settings"),
    "tokenfamily": _("API sign-in"),
    "user": _("Person"),
}


@dataclass(frozen=True)
class Change:
    """One field before and after, as text; None where there was or is no value."""

    name: str
    before: str | None
    after: str | None


def predicate_of(action: str) -> str:
    """The words of an action; one that is no longer in the vocabulary shows its key."""
    try:
        return str(PREDICATES[AuditAction(action)])
    except (ValueError, KeyError):
        return action


def title_of(action: str) -> str:
    """The action as a choice of a filter: ``Pipeline: paused``."""
    noun, _dot, verb = action.partition(".")
    return f"{noun} {verb}".replace("_", " ").capitalize().replace("Api key", "API key")


def thing_of(target: str) -> str:
    """The type of a target as a choice of a filter, with its number where it has one: ``API key 12``."""
    kind, _colon, number = target.partition(":")
    name = _THINGS.get(kind, kind)
    return f"{str(name).capitalize() if name == kind else name} {number}".strip()


def target_of(event: AuditEvent) -> str:
    return "" if event.action in ABOUT_THEMSELVES else event.target_label


def sentence_of(event: AuditEvent) -> str:
    return f"{event.actor_label} {predicate_of(event.action)} {target_of(event)}".strip()


def changes_of(event: AuditEvent) -> list[Change]:
    """``changes`` as rows; what is no pair of before and after stands as the value after."""
    rows = []
    for name, value in event.changes.items():
        pair = value if isinstance(value, list) and len(value) == 2 else [None, value]
        rows.append(Change(name.replace("_", " "), _text(pair[0]), _text(pair[1])))
    return rows


def _text(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)
