"""Who gets through which door: the expectation, written by hand and asked of the application.

A route, an API operation, a command or a task that is not here fails the suite, and so does a row without one. The
rights are told once more on purpose: a wrong word in ``common.access`` or at a view is found only by comparing.
"""

from collections.abc import Iterable

from common.access import Permission, Role

_GUEST = {Permission.BELONG}
_VIEWER = _GUEST | {Permission.VIEW}
_EDITOR = _VIEWER | {
    Permission.RUN,
    Permission.EDIT,
    Permission.VIEW_API_KEYS,
    Permission.MANAGE_API_KEYS,
}
_ADMIN = _EDITOR | {
    Permission.VIEW_AUDIT,
    Permission.MANAGE_MEMBERS,
    Permission.MANAGE_ORGANIZATION,
}
ROLES: dict[Role, set[Permission]] = {
    Role.GUEST: _GUEST,
    Role.VIEWER: _VIEWER,
    Role.EDITOR: _EDITOR,
    Role.ADMIN: _ADMIN,
    Role.OWNER: _ADMIN | {Permission.OWN_ORGANIZATION},
}
SCOPES: dict[str, set[Permission]] = {
    "read": {Permission.BELONG, Permission.VIEW},
    "keys": {Permission.VIEW_API_KEYS, Permission.MANAGE_API_KEYS},
    "audit": {Permission.VIEW_AUDIT},
}


def rights(role: Role, scopes: Iterable[str] = ()) -> set[Permission]:
    """What a member or a key with this role and these scopes may do."""
    words = [SCOPES[scope] for scope in scopes]
    return ROLES[role] & set().union(*words) if words else ROLES[role]


def _rows(text: dict[Permission, str]) -> dict[str, Permission]:
    """``{"connections:file-list": VIEW}`` of lines like ``connections: file-list file-create``."""
    found: dict[str, Permission] = {}
    for permission, lines in text.items():
        head = ""
        for word in lines.split():
            if word.endswith(":"):
                head = word
                continue
            name = f"{head}{word}"
            assert name not in found, f"{name} has two rows"
            found[name] = permission
    return found


#: Pages of an organization by URL name → what one must be allowed to do there.
PAGES = _rows(
    {
        Permission.BELONG: """
            orchestration: overview
            tenants: shared-list organization-leave
        """,
        Permission.VIEW: """
            transforms: transformation-list source-list transformation-detail
            orchestration: run-list run-detail run-configuration run-log run-log-download
                run-stream lineage backfill-list backfill-detail schedule-list problem-list
                problem-detail palette trash
            pipelines: pipeline-list pipeline-detail pipeline-tables pipeline-runs pipeline-state
                pipeline-rejects pipeline-shape pipeline-update pipeline-changes pipeline-sharing
            connections: connection-list file-list connection-detail connection-sharing
                connection-catalog connection-table
            alerts: rule-list channel-list delivery-list delivery-detail
            tenants: member-list
        """,
        Permission.RUN: """
            orchestration: run-bulk run-create run-prepare run-cancel run-retry backfill-create
                backfill-estimate backfill-pause backfill-resume backfill-cancel backfill-retry
            pipelines: rejects-retry pipeline-refresh pipeline-estimate
            connections: connection-check
        """,
        Permission.EDIT: """
            transforms: transformation-create draft-preview draft-compile transformation-preview
                transformation-compile transformation-delete
            orchestration: node-rule dependency-create dependency-update dependency-delete
                schedule-create schedule-preview schedule-pause-all schedule-resume-all
                schedule-update schedule-toggle schedule-delete trash-restore
            pipelines: pipeline-create draft-source draft-what draft-how draft-resource-add
                draft-resource draft-resource-remove draft-destination draft-review draft-discard
                resource-add resource-update resource-remove cursor-move cursor-reset
                rejects-discard pipeline-yaml pipeline-pause pipeline-resume pipeline-duplicate
                pipeline-delete
            connections: connection-create connection-create-details file-create file-delete
                connection-update connection-duplicate connection-delete
            alerts: rule-create rule-update rule-mute rule-unmute rule-delete channel-create
                channel-update channel-test channel-renew channel-delete delivery-retry
        """,
        Permission.VIEW_API_KEYS: """
            tenants: api-key-list
        """,
        Permission.MANAGE_API_KEYS: """
            tenants: api-key-create api-key-rotate api-key-revoke
        """,
        Permission.VIEW_AUDIT: """
            audit: event-list event-export event-detail
        """,
        Permission.MANAGE_MEMBERS: """
            pipelines: pipeline-share pipeline-unshare
            connections: connection-share connection-unshare
            tenants: member-invite member-role member-remove invitation-resend invitation-revoke
        """,
        Permission.MANAGE_ORGANIZATION: """
            orchestration: trash-purge
            tenants: settings
        """,
        Permission.OWN_ORGANIZATION: """
            tenants: organization-hand-over organization-delete organization-restore
        """,
    }
)

#: Operations of the API by method and URL name (without ``api-``).
API = _rows(
    {
        Permission.BELONG: """
            POST: organization-leave
            GET: shared-list
        """,
        Permission.VIEW: """
            GET: transformation-list transformation-detail trash-list backfill-list
                backfill-detail backfill-slices run-list run-detail run-logs run-steps
                pipeline-schema-changes problem-list problem-detail dependency-list graph
                graph-selection schedule-list schedule-detail organization-detail pipeline-list
                pipeline-detail pipeline-state pipeline-resource-state connection-list
                connection-detail connection-discover connection-describe connector-list file-list
                member-list member-detail alert-rule-list alert-rule-detail alert-channel-list
                alert-channel-detail alert-delivery-list alert-delivery-detail
        """,
        Permission.RUN: """
            POST: backfill-list backfill-preview backfill-pause backfill-resume backfill-cancel
                backfill-retry run-list runs-cancel runs-retry run-cancel run-retry
                pipeline-estimate connection-check
        """,
        Permission.EDIT: """
            POST: transformation-list transformation-compile transformation-preview trash-restore
                dependency-list schedule-list schedule-pause-all schedule-resume-all
                schedule-pause schedule-resume pipeline-list pipeline-pause pipeline-resume
                pipeline-rejects-discard connection-list connector-check file-list alert-rule-list
                alert-rule-mute alert-rule-unmute alert-channel-list alert-channel-test
                alert-channel-renew alert-delivery-retry
            PATCH: transformation-detail dependency-detail graph-node schedule-detail
                pipeline-detail connection-detail alert-rule-detail alert-channel-detail
            DELETE: transformation-detail dependency-detail schedule-detail pipeline-detail
                connection-detail file-detail alert-rule-detail alert-channel-detail
            PUT: pipeline-detail pipeline-resource-state
            GET: pipeline-rejects
        """,
        Permission.VIEW_API_KEYS: """
            GET: api-key-list
        """,
        Permission.MANAGE_API_KEYS: """
            POST: api-key-list api-key-rotate
            DELETE: api-key-detail
        """,
        Permission.VIEW_AUDIT: """
            GET: audit-event-list audit-export
        """,
        Permission.MANAGE_MEMBERS: """
            GET: pipeline-grants connection-grants invitation-list
            PUT: pipeline-grant connection-grant
            DELETE: pipeline-grant connection-grant member-detail invitation-detail
            PATCH: member-detail
            POST: invitation-list invitation-resend
        """,
        Permission.MANAGE_ORGANIZATION: """
            DELETE: trash-entry
            PATCH: organization-detail
        """,
        Permission.OWN_ORGANIZATION: """
            POST: organization-deletion organization-hand-over
            DELETE: organization-deletion
        """,
    }
)

#: Needs a person: a key of any role is refused.
PEOPLE_ONLY = {"POST:organization-leave", "POST:organization-hand-over"}

#: Drafts of the wizard are their author's, who is the owner here: others who may make drafts find none.
PERSONAL = "pipelines:draft-"
#: What is sent where an empty form names nothing.
SENT: dict[str, dict[str, str]] = {
    "orchestration:run-create": {"target": "dag"},
    "orchestration:node-rule": {"node": "pipeline:kestrel", "rule": "all_succeeded"},
}

#: Who is answered unlike the others, and why: (row, caller) → status.
UNLIKE: dict[tuple[str, str], int] = {
    # Editors see the keys they made, and these are the owner's.
    ("DELETE:api-key-detail", "editor"): 404,
    ("POST:api-key-rotate", "editor"): 404,
    ("tenants:api-key-rotate", "editor"): 404,
    ("tenants:api-key-revoke", "editor"): 404,
    # It would make a key that may do more than itself.
    ("POST:api-key-rotate", "key for audit and keys only"): 403,
}

#: Outside of organizations. "open": answers everybody. "person": sign in first. "program": sign in, a key will do.
#: "operator": the Django admin.
OUTSIDE: dict[str, str] = {
    "home": "open",
    "healthz": "open",
    "theme": "open",
    "kit": "open",
    "account_login": "open",
    "account_signup": "open",
    "account_email_verification_sent": "open",
    "account_verify": "open",
    "account_confirm_email": "open",
    "account_email": "person",
    "account_email_confirm": "open",
    "account_reauthenticate": "person",
    "mfa_authenticate": "open",
    "mfa_reauthenticate": "person",
    "account_logout": "open",
    "account_inactive": "open",
    "account_change_password": "person",
    "account_reset_password": "open",
    "account_reset_password_done": "open",
    "account_reset_password_from_key": "open",
    "account_reset_password_from_key_done": "open",
    "provider_login": "open",
    "google_callback": "open",
    "github_callback": "open",
    "openid_connect_callback": "open",
    "socialaccount_login_cancelled": "open",
    "socialaccount_login_error": "open",
    "socialaccount_connections": "person",
    "tenants:welcome": "open",
    "tenants:organization-list": "person",
    "tenants:organization-create": "person",
    "tenants:invitation-accept": "open",
    "tenants:account": "person",
    "tenants:api-sign-in-end": "person",
    "tenants:recovery-codes": "person",
    "tenants:second-factor": "person",
    "tenants:second-factor-off": "person",
    "tenants:session-end": "person",
    "tenants:session-end-others": "person",
    "tenants:session-list": "person",
    "api-schema": "open",
    "api-docs": "open",
    "api-token-create": "open",
    "api-token-refresh": "open",
    "api-token-revoke": "open",
    "api-session-list": "program",
    "api-session-detail": "program",
    "api-organization-list": "program",
}

#: Commands → the option that names the organization they act on, "" where they act on the installation.
COMMANDS: dict[str, str] = {
    "backfill": "pipeline",
    "create_organization": "",
    "demo": "",
    "doctor": "",
    "errors_reference": "",
    "prune": "",
    "remove_second_factor": "",
    "rotate_encryption_key": "",
    "run_dag": "organization",
    "run_pipeline": "pipeline",
    "schedules": "organization",
    "up": "",
    "user_access": "",
    "verify_audit": "organization",
    "worker": "",
}

#: Celery tasks → their arguments. What arrives is a bell: the database says what is to be done.
TASKS: dict[str, tuple[str, ...]] = {
    "alerts.send": (),
    "alerts.watch": (),
    "orchestration.execute_step": ("step_id",),
    "orchestration.prune_old": (),
    "orchestration.send_heartbeat": (),
    "orchestration.sweep_runs": (),
    "orchestration.tick_schedules": (),
    "tenants.write_mail": ("kind", "email", "user_id"),
}
