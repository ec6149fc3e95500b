"""Every change to people, organizations, memberships, invitations and keys."""

from tenants.limits import check_queue
from tenants.restrictions import know_connectors
from tenants.services.api_keys import (
    API_KEY_PREFIX,
    MOST_OVERLAP_DAYS,
    USUAL_DAYS,
    issue_api_key,
    revoke_api_key,
    rotate_api_key,
)
from tenants.services.base import hash_token
from tenants.services.entering import note_entry
from tenants.services.grants import (
    forget_grants_of,
    forget_grants_on,
    give_grant,
    take_grant,
)
from tenants.services.invitations import (
    INVITATION_DAYS,
    MOST_INVITATION_DAYS,
    accept_invitation,
    find_invitation,
    invite,
    invite_all,
    join,
    resend_invitation,
    revoke_invitation,
)
from tenants.services.lifecycle import (
    check_awake,
    delete_organization,
    hand_over,
    organization_rests,
    organization_wakes,
    restore_organization,
    resume_organization,
    suspend_organization,
)
from tenants.services.memberships import add_member, change_role, leave, remove_member
from tenants.services.organizations import create_organization, set_up, update_organization
from tenants.services.people import (
    Deactivated,
    create_user,
    deactivate_user,
    end_sessions_of,
    reactivate_user,
    record_session,
    rename_user,
)
from tenants.services.platform import (
    check_platform,
    has_mail_password,
    send_test_mail,
    update_platform,
)

__all__ = [
    "API_KEY_PREFIX",
    "INVITATION_DAYS",
    "MOST_INVITATION_DAYS",
    "MOST_OVERLAP_DAYS",
    "USUAL_DAYS",
    "Deactivated",
    "accept_invitation",
    "add_member",
    "change_role",
    "check_awake",
    "check_platform",
    "check_queue",
    "create_organization",
    "create_user",
    "deactivate_user",
    "delete_organization",
    "end_sessions_of",
    "find_invitation",
    "forget_grants_of",
    "forget_grants_on",
    "give_grant",
    "hand_over",
    "has_mail_password",
    "hash_token",
    "invite",
    "invite_all",
    "issue_api_key",
    "join",
    "know_connectors",
    "leave",
    "note_entry",
    "organization_rests",
    "organization_wakes",
    "reactivate_user",
    "record_session",
    "remove_member",
    "rename_user",
    "resend_invitation",
    "restore_organization",
    "resume_organization",
    "revoke_api_key",
    "revoke_invitation",
    "rotate_api_key",
    "send_test_mail",
    "set_up",
    "suspend_organization",
    "take_grant",
    "update_organization",
    "update_platform",
]
