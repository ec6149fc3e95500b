"""Reaching the other system."""

from django.utils.translation import gettext_lazy as _

from orchestration.explanations.entry import Explanation, Place, Who, marks

ENTRIES = (
    Explanation(
        key="host-unknown",
        title=_("The host name does not exist"),
        cause=_("The name service knows no machine of that name."),
        remedy=_(
            "Correct the host on the connection. A name of your own network has to be known to "
            "the machine of the worker."
        ),
        who=Who.EDITOR,
        places=(Place.CONNECTION,),
        marks=marks("dns:EAI_NONAME dns:EAI_NODATA dns:EAI_ADDRFAMILY"),
    ),
    Explanation(
        key="name-service-silent",
        title=_("The name service does not answer"),
        cause=_("The worker could not ask which address the host has."),
        remedy=_(
            "It is tried again. If it stays so, look at the DNS settings of the worker's machine."
        ),
        who=Who.OPERATOR,
        places=(Place.CONNECTION, Place.PLATFORM),
        marks=marks("dns:EAI_AGAIN dns:EAI_FAIL dns:EAI_SYSTEM"),
    ),
    Explanation(
        key="connection-refused",
        title=_("Nobody listens there"),
        cause=_("The machine answers, but no server takes connections on that port."),
        remedy=_("Check that the server runs and that the port is right."),
        who=Who.SYSTEM_OWNER,
        places=(Place.CONNECTION,),
        marks=marks("errno:ECONNREFUSED mysql:2002 mysql:2003"),
    ),
    Explanation(
        key="no-answer",
        title=_("No answer in time"),
        cause=_(
            "The connection was not answered. Usually a firewall drops it, or the address is wrong."
        ),
        remedy=_("Check host and port, and that the firewall lets the worker's address through."),
        who=Who.SYSTEM_OWNER,
        places=(Place.CONNECTION,),
        marks=marks("errno:ETIMEDOUT"),
    ),
    Explanation(
        key="no-way-there",
        title=_("No way to the machine"),
        cause=_("The network has no route to that address."),
        remedy=_("Check the host, and the network of the worker (VPN, routing)."),
        who=Who.OPERATOR,
        places=(Place.CONNECTION,),
        marks=marks("errno:EHOSTUNREACH errno:ENETUNREACH errno:ENETDOWN errno:EHOSTDOWN"),
    ),
    Explanation(
        key="connection-lost",
        title=_("The connection broke off"),
        cause=_(
            "The server, or something between, ended the connection in the middle of the work."
        ),
        remedy=_(
            "It is tried again by itself. If it happens often, look at the server's log and at "
            "time-outs of firewalls between."
        ),
        who=Who.NOBODY,
        places=(Place.CONNECTION,),
        marks=marks(
            "errno:ECONNRESET errno:EPIPE errno:ECONNABORTED errno:ENOTCONN sqlstate:08000",
            "sqlstate:08003 sqlstate:08006 sqlstate:08007 mysql:2006 mysql:2013 mysql:2055",
            "mysql:1158 mysql:1159 mysql:1160 mysql:1161 mysql:1152 mysql:1184 mysql:1080",
        ),
    ),
    Explanation(
        key="connection-not-made",
        title=_("The server did not take the connection"),
        cause=_("The server could be reached, and no session with it came about."),
        remedy=_(
            "Look at the server's own log for that moment; check host, port and encryption mode."
        ),
        who=Who.SYSTEM_OWNER,
        places=(Place.CONNECTION,),
        marks=marks("sqlstate:08001 sqlstate:08004"),
    ),
    Explanation(
        key="another-protocol",
        title=_("What answers is no such server"),
        cause=_("Something answers on that port, but it does not speak this server's language."),
        remedy=_("Check the port. A pooler or proxy in front of the database may be in the way."),
        who=Who.EDITOR,
        places=(Place.CONNECTION,),
        marks=marks("sqlstate:08P01 mysql:2007 mysql:1043 mysql:2027"),
    ),
    Explanation(
        key="no-connection-to-spare",
        title=_("The server has no connection to spare"),
        cause=_("As many sessions are open as the server, or this user, may have."),
        remedy=_(
            "It is tried again. Lower the slots of the connection, or raise max_connections on "
            "the server."
        ),
        who=Who.SYSTEM_OWNER,
        places=(Place.CONNECTION,),
        marks=marks("sqlstate:53300 mysql:1040 mysql:1203 mysql:1226"),
    ),
    Explanation(
        key="server-starting",
        title=_("The server is starting or stopping"),
        cause=_("The server does not take work at the moment."),
        remedy=_("Wait: it is tried again by itself."),
        who=Who.NOBODY,
        places=(Place.CONNECTION,),
        marks=marks("sqlstate:57P03 mysql:1053 mysql:1079 mysql:3168"),
    ),
    Explanation(
        key="server-restarted",
        title=_("The server was restarted"),
        cause=_("The server was stopped or restarted, or an administrator ended the session."),
        remedy=_(
            "Wait: it is tried again by itself. What was committed before is not loaded twice."
        ),
        who=Who.NOBODY,
        places=(Place.CONNECTION,),
        marks=marks("sqlstate:57P01 sqlstate:57P02 mysql:1927 mysql:3169"),
    ),
    Explanation(
        key="idle-session-ended",
        title=_("The server ended an idle session"),
        cause=_(
            "The server ends sessions that wait too long, and this one waited for the other "
            "end of the load."
        ),
        remedy=_(
            "Raise idle_session_timeout or idle_in_transaction_session_timeout (MySQL: "
            "wait_timeout) for this user."
        ),
        who=Who.SYSTEM_OWNER,
        places=(Place.CONNECTION,),
        marks=marks("sqlstate:57P05 sqlstate:25P03 sqlstate:25P04 mysql:4031"),
    ),
    Explanation(
        key="database-not-accepting",
        title=_("The database takes no connections"),
        cause=_(
            "The database is closed for the moment, or an object is not in the state that is "
            "needed (a materialized view that was never filled, for example)."
        ),
        remedy=_("Open it, or fill it (REFRESH MATERIALIZED VIEW), then run again."),
        who=Who.SYSTEM_OWNER,
        places=(Place.CONNECTION,),
        marks=marks("sqlstate:55000"),
    ),
    Explanation(
        key="tls-not-offered",
        title=_("The server offers no TLS"),
        cause=_("The connection demands encryption and the server has none."),
        remedy=_(
            "Have TLS switched on at the server, or choose another encryption mode on the "
            "connection."
        ),
        who=Who.SYSTEM_OWNER,
        places=(Place.CONNECTION,),
        marks=marks("postgres:no_tls mysql:2026"),
    ),
    Explanation(
        key="tls-demanded",
        title=_("The server demands TLS"),
        cause=_("The server lets nobody in without encryption."),
        remedy=_("Choose an encryption mode with TLS on the connection."),
        who=Who.EDITOR,
        places=(Place.CONNECTION,),
        marks=marks("mysql:3159"),
    ),
    Explanation(
        key="certificate-expired",
        title=_("The certificate has expired"),
        cause=_(
            "The server's certificate, or one of its authority's, is past its date. A wrong "
            "clock has the same effect."
        ),
        remedy=_("Have a new certificate installed on the server; check the clock of the worker."),
        who=Who.SYSTEM_OWNER,
        places=(Place.CONNECTION,),
        marks=marks("tls:verify:10 tls:verify:9"),
    ),
    Explanation(
        key="certificate-authority-unknown",
        title=_("Nobody known vouches for the certificate"),
        cause=_(
            "The certificate was signed by itself or by an authority that this machine does "
            "not know."
        ),
        remedy=_("Paste the authority's certificate into the connection."),
        who=Who.EDITOR,
        places=(Place.CONNECTION,),
        marks=marks("tls:verify:18 tls:verify:19 tls:verify:20 tls:verify:21 tls:verify"),
    ),
    Explanation(
        key="certificate-other-name",
        title=_("The certificate is for another host"),
        cause=_("The certificate does not name the host that the connection gives."),
        remedy=_(
            "Give the host name that stands in the certificate, or have the certificate made "
            "out to this one."
        ),
        who=Who.EDITOR,
        places=(Place.CONNECTION,),
        marks=marks("tls:verify:62 tls:verify:64"),
    ),
    Explanation(
        key="tls-failed",
        title=_("The encrypted connection could not be set up"),
        cause=_(
            "Both sides found no common version or method of TLS, or what answers does not "
            "speak it."
        ),
        remedy=_(
            "Check the port and the server's TLS configuration; very old versions are refused."
        ),
        who=Who.SYSTEM_OWNER,
        places=(Place.CONNECTION,),
        marks=marks("tls:*"),
        broad=True,
    ),
    Explanation(
        key="ssh-cannot-reach",
        title=_("The SSH server cannot reach the database"),
        cause=_(
            "The tunnel stands, but from the SSH server no way leads to host and port of the "
            "database."
        ),
        remedy=_(
            "Give host and port as the SSH server knows them, and check that the database lets "
            "that machine in."
        ),
        who=Who.EDITOR,
        places=(Place.CONNECTION,),
        marks=marks("ssh:channel:2"),
    ),
    Explanation(
        key="ssh-no-room",
        title=_("The SSH server has no room"),
        cause=_("The SSH server takes no further connection through the tunnel."),
        remedy=_("Try again later, or raise MaxSessions in sshd_config."),
        who=Who.SYSTEM_OWNER,
        places=(Place.CONNECTION,),
        marks=marks("ssh:channel:4"),
    ),
    Explanation(
        key="ssh-failed",
        title=_("The SSH connection failed"),
        cause=_("The SSH server ended the connection, or both sides found no common method."),
        remedy=_("Check SSH host and port; the log of the SSH server says what it disliked."),
        who=Who.SYSTEM_OWNER,
        places=(Place.CONNECTION,),
        marks=marks("ssh:*"),
        broad=True,
    ),
    Explanation(
        key="tunnel-no-port",
        title=_("No port left for a tunnel"),
        cause=_("Every port that this step had for tunnels is taken."),
        remedy=_("Run again; if it stays so, it is a fault of Datanika worth reporting."),
        who=Who.OPERATOR,
        places=(Place.RUN_LOG,),
        marks=marks("code:no_listener"),
    ),
    Explanation(
        key="http-sign-in",
        title=_("The service does not accept the key"),
        cause=_("The service answered that the key or token is missing, wrong or expired (401)."),
        remedy=_("Make a new key there and store it on the connection."),
        who=Who.EDITOR,
        places=(Place.CONNECTION,),
        marks=marks("http:401"),
    ),
    Explanation(
        key="http-forbidden",
        title=_("The service refuses this account"),
        cause=_("The service knows the key and does not allow this to it (402, 403)."),
        remedy=_("Have the right granted to the key, or the plan of the account extended."),
        who=Who.SYSTEM_OWNER,
        places=(Place.CONNECTION,),
        marks=marks("http:402 http:403"),
    ),
    Explanation(
        key="http-not-found",
        title=_("The service has nothing at this address"),
        cause=_("The address, or the object it names, is not there (404, 410)."),
        remedy=_("Check the address and the names on the connection and in the pipeline."),
        who=Who.EDITOR,
        places=(Place.CONNECTION, Place.TABLES),
        marks=marks("http:404 http:410"),
    ),
    Explanation(
        key="http-too-many-requests",
        title=_("Too many requests"),
        cause=_("The service allows only so many requests in a time (429)."),
        remedy=_("Wait: it is tried again later. Run this pipeline less often, or fewer at once."),
        who=Who.NOBODY,
        places=(Place.PIPELINE,),
        marks=marks("http:429"),
    ),
    Explanation(
        key="http-service-down",
        title=_("The service has a problem of its own"),
        cause=_("The service answered with an error of its own, or not in time (408, 5xx)."),
        remedy=_("Wait: it is tried again. If it lasts, look at the status page of the service."),
        who=Who.NOBODY,
        places=(Place.CONNECTION,),
        marks=marks("http:408 http:5*"),
        broad=True,
    ),
    Explanation(
        key="http-refused",
        title=_("The service refuses the request"),
        cause=_("The service does not take the request as it is (4xx)."),
        remedy=_("The system's own words say what it dislikes; correct the settings they name."),
        who=Who.EDITOR,
        places=(Place.CONNECTION, Place.TABLES),
        marks=marks("http:4*"),
        broad=True,
    ),
    Explanation(
        key="unreachable-for-now",
        title=_("The other system did not answer"),
        cause=_(
            "The other system could not be reached, or ended the work. It was tried as often "
            "as the step may."
        ),
        remedy=_("Check the connection: its page says at which stage it fails."),
        who=Who.EDITOR,
        places=(Place.CONNECTION,),
        marks=marks("code:temporarily_unavailable"),
        broad=True,
    ),
)
