"""Signing in, and what a user may do there."""

from django.utils.translation import gettext_lazy as _

from orchestration.explanations.entry import Explanation, Place, Who, marks

ENTRIES = (
    Explanation(
        key="wrong-password",
        title=_("Wrong user or password"),
        cause=_("The server did not accept this user name with this password."),
        remedy=_(
            "Type the password anew on the connection and check it; it may have been changed "
            "on the server."
        ),
        who=Who.EDITOR,
        places=(Place.CONNECTION,),
        marks=marks("sqlstate:28P01 mysql:1045 mysql:1698"),
    ),
    Explanation(
        key="no-password",
        title=_("No password stored"),
        cause=_("The server asks for a password and the connection has none."),
        remedy=_("Fill in the password on the connection."),
        who=Who.EDITOR,
        places=(Place.CONNECTION,),
        marks=marks("postgres:no_password"),
    ),
    Explanation(
        key="unknown-user",
        title=_("No such user on the server"),
        cause=_("The server knows no user of the name the connection gives."),
        remedy=_(
            "Correct the user name on the connection, or have the user created on the server."
        ),
        who=Who.EDITOR,
        places=(Place.CONNECTION,),
        marks=marks("postgres:no_role"),
    ),
    Explanation(
        key="machine-not-let-in",
        title=_("The server does not let this machine in"),
        cause=_(
            "The server's own rules have no place for this machine, this user and this database."
        ),
        remedy=_(
            "PostgreSQL: a line in pg_hba.conf for this address. MySQL: an account for this "
            "address ('user'@'address')."
        ),
        who=Who.SYSTEM_OWNER,
        places=(Place.CONNECTION,),
        marks=marks("sqlstate:28000 mysql:1130 postgres:no_pg_hba_entry"),
    ),
    Explanation(
        key="user-may-not-sign-in",
        title=_("The user may not sign in"),
        cause=_("The user exists on the server and is not allowed to open a session."),
        remedy=_(
            "Have the right to sign in granted (PostgreSQL: ALTER ROLE … LOGIN), or use "
            "another user."
        ),
        who=Who.SYSTEM_OWNER,
        places=(Place.CONNECTION,),
        marks=marks("postgres:no_login"),
    ),
    Explanation(
        key="account-locked",
        title=_("The account is locked"),
        cause=_("The server has locked the account, by hand or after too many wrong passwords."),
        remedy=_("Have it unlocked on the server (ALTER USER … ACCOUNT UNLOCK)."),
        who=Who.SYSTEM_OWNER,
        places=(Place.CONNECTION,),
        marks=marks("mysql:3118 mysql:4151 mysql:3955"),
    ),
    Explanation(
        key="password-expired",
        title=_("The password has expired"),
        cause=_("The server wants a new password for this user before it does anything else."),
        remedy=_("Set a new password on the server and store it on the connection."),
        who=Who.SYSTEM_OWNER,
        places=(Place.CONNECTION,),
        marks=marks("mysql:1820 mysql:1862 sqlstate:28P02"),
    ),
    Explanation(
        key="sign-in-method",
        title=_("A way of signing in that is not supported"),
        cause=_(
            "The account signs in by a method that this driver does not speak, or only over TLS."
        ),
        remedy=_("Use an account with a password, and choose an encryption mode with TLS."),
        who=Who.SYSTEM_OWNER,
        places=(Place.CONNECTION,),
        marks=marks("mysql:1251 mysql:2049 mysql:2054 mysql:2058 mysql:2059 mysql:2061"),
    ),
    Explanation(
        key="machine-blocked",
        title=_("The server blocks this machine"),
        cause=_(
            "After too many failed connections the server takes none from this machine any more."
        ),
        remedy=_(
            "Run FLUSH HOSTS on the server, and find out which connection has the wrong password."
        ),
        who=Who.SYSTEM_OWNER,
        places=(Place.CONNECTION,),
        marks=marks("mysql:1129"),
    ),
    Explanation(
        key="no-such-database",
        title=_("No such database"),
        cause=_("The server has no database of the name the connection gives."),
        remedy=_("Correct the name on the connection; upper and lower case may differ."),
        who=Who.EDITOR,
        places=(Place.CONNECTION,),
        marks=marks("sqlstate:3D000 mysql:1049"),
    ),
    Explanation(
        key="database-closed-to-user",
        title=_("The database is closed to this user"),
        cause=_("The user may sign in, but may not use this database, or it does not exist."),
        remedy=_(
            "Check its name, then have the right granted (PostgreSQL: CONNECT; MySQL: any "
            "right in it)."
        ),
        who=Who.SYSTEM_OWNER,
        places=(Place.CONNECTION,),
        marks=marks("mysql:1044 postgres:no_connect"),
    ),
    Explanation(
        key="right-missing",
        title=_("A right is missing"),
        cause=_(
            "The connection's user may not do what the step needs, for example read a table or "
            "create one."
        ),
        remedy=_("Have the right granted; the connector's page lists the ones that are needed."),
        who=Who.SYSTEM_OWNER,
        places=(Place.CONNECTION,),
        marks=marks(
            "sqlstate:42501 mysql:1142 mysql:1143 mysql:1227 mysql:1370 mysql:1211",
            "sqlite:SQLITE_PERM sqlite:SQLITE_AUTH duckdb:PermissionException",
        ),
    ),
    Explanation(
        key="server-only-reads",
        title=_("The system takes no writes"),
        cause=_("It is a replica, in read-only mode, or a file that may not be written to."),
        remedy=_("Connect to the primary, or to a file that may be written."),
        who=Who.EDITOR,
        places=(Place.CONNECTION,),
        marks=marks(
            "sqlstate:25006 mysql:1290 mysql:1792 mysql:1836 mysql:1036",
            "sqlite:SQLITE_READONLY sqlite:SQLITE_READONLY_DIRECTORY",
            "sqlite:SQLITE_READONLY_DBMOVED sqlite:SQLITE_READONLY_ROLLBACK",
        ),
    ),
    Explanation(
        key="sign-in-refused",
        title=_("Signing in was refused"),
        cause=_(
            "The other system does not accept the user name, the password or the key of the "
            "connection."
        ),
        remedy=_("Check the connection; its page says at which stage it fails."),
        who=Who.EDITOR,
        places=(Place.CONNECTION,),
        marks=marks("code:authentication_failed"),
    ),
    Explanation(
        key="permission-missing",
        title=_("Not permitted there"),
        cause=_("The other system does not let the connection's user do that."),
        remedy=_("Have the right granted, or choose another connection."),
        who=Who.SYSTEM_OWNER,
        places=(Place.CONNECTION,),
        marks=marks("code:permission_missing"),
    ),
    Explanation(
        key="secret-unreadable",
        title=_("The stored secrets cannot be read"),
        cause=_(
            "Secrets of connections are encrypted with this installation's key, and the key is "
            "not the one they were stored with."
        ),
        remedy=_(
            "Give the installation the key it had before, or type the secrets of the "
            "connection anew."
        ),
        who=Who.OPERATOR,
        places=(Place.CONNECTION, Place.PLATFORM),
        marks=marks("code:secret_unreadable"),
    ),
    Explanation(
        key="ssh-key-refused",
        title=_("The SSH server does not accept the key"),
        cause=_("The SSH server turned down the user, the key or the password of the tunnel."),
        remedy=_(
            "Check user and key on the connection; the public key has to stand in the user's "
            "authorized_keys."
        ),
        who=Who.EDITOR,
        places=(Place.CONNECTION,),
        marks=marks(
            "ssh:AuthenticationException ssh:BadAuthenticationType ssh:PartialAuthentication",
            "ssh:PasswordRequiredException",
        ),
    ),
    Explanation(
        key="ssh-server-changed",
        title=_("The SSH server has another key than before"),
        cause=_(
            "The machine that answers is not the one whose host key was stored. It was set up "
            "anew, or somebody stands in between."
        ),
        remedy=_(
            "Ask its owner whether the key was changed, and only then store the new host key."
        ),
        who=Who.ADMIN,
        places=(Place.CONNECTION,),
        marks=marks("ssh:BadHostKeyException"),
    ),
    Explanation(
        key="ssh-forwarding-forbidden",
        title=_("The SSH server does not forward"),
        cause=_("Signing in works, but the SSH server may not open a way to the database."),
        remedy=_(
            "Allow it in sshd_config (AllowTcpForwarding, PermitOpen) and lift restrictions in "
            "authorized_keys."
        ),
        who=Who.SYSTEM_OWNER,
        places=(Place.CONNECTION,),
        marks=marks("ssh:channel:1 ssh:channel:3"),
    ),
)
