"""Why an SSH server does not lead to the far host, as a sentence. Child side."""

from common.errors import TransientError, UserError
from connections.connectors.base import Target
from connections.connectors.meanings import without_secrets

#: RFC 4254: the reasons a channel is not opened.
_PROHIBITED, _CONNECT_FAILED, _UNKNOWN_TYPE, _SHORTAGE = 1, 2, 3, 4


def explain_channel(error: Exception, target: Target) -> UserError:
    """The refusal of a channel, by its reason code."""
    import paramiko

    far = f"{target.config['host']}:{target.config['port']}"
    detail = without_secrets(str(error), target)
    code = error.code if isinstance(error, paramiko.ChannelException) else 0
    if code in {_PROHIBITED, _UNKNOWN_TYPE}:
        return UserError(
            f"The SSH server may not forward to {far}.",
            field="ssh_user",
            remedy="Allow it there: AllowTcpForwarding and PermitOpen in sshd_config, and no "
            "restrict or permitopen against it in authorized_keys.",
            detail=detail,
        )
    if code == _CONNECT_FAILED:
        return TransientError(
            f"The SSH server cannot reach {far}.",
            field="host",
            remedy="Give host and port as they are known on the SSH server, and check that the "
            "database runs and lets that machine in.",
            detail=detail,
        )
    if code == _SHORTAGE:
        return TransientError(
            "The SSH server has no room for another connection.",
            field="ssh_host",
            remedy="Try again later, or raise MaxSessions in sshd_config.",
            detail=detail,
        )
    return TransientError(
        "The SSH server did not open a way in time.",
        field="ssh_host",
        remedy="Check that it reaches the database; a firewall there may drop the connection.",
        detail=detail,
    )
