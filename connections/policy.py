"""What a connection may reach: one place decides about paths and hosts, and every connector asks
it.

Pure and free of Django: both sides use it. A path is resolved to what it really is (links followed)
before it is judged, and a host name is resolved once, so that the address that was judged is the
address that is dialled.
"""

import glob
import ipaddress
import os
import re
import socket
import stat
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from common.errors import NotFound, TransientError, UserError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

PRIVATE_ALLOWED = "private-allowed"
PUBLIC_ONLY = "public-only"

#: Listings of one pattern, while a replace swaps directories under it, and the wait between them.
LISTINGS, LISTING_SECONDS = 5, 0.05
#: More files than this in one pattern is a mistake in the pattern far more often than a wish.
MAX_FILES = 10_000

_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:(//|/|\\)")
_GLOB_CHARACTERS = frozenset("*?[")
_SYSTEM_DIRECTORIES = (Path("/proc"), Path("/dev"), Path("/sys"))

# Cloud metadata and host agents that are not link-local: AWS over IPv6, Alibaba, Azure, Oracle.
_METADATA_ADDRESSES = frozenset(
    ipaddress.ip_address(address)
    for address in (
        "169.254.169.254",
        "fd00:ec2::254",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
    )
)
_METADATA_NAMES = frozenset({"metadata.google.internal", "metadata.goog", "instance-data"})
# An IPv6 address in here is an IPv4 address in disguise (NAT64), its last four bytes.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


# --- paths ---------------------------------------------------------------------------------------


def check_path_syntax(path: str) -> str:
    """The path, stripped; ``UserError`` for what is refused without looking at the disk."""
    text = path.strip()
    if not text:
        raise _path_error(
            "A path is needed.", "Give a path below the organization's files directory."
        )
    if "\0" in text:
        raise _path_error("The path holds a NUL character.", "Remove it.")
    if _SCHEME.match(text):
        raise _path_error(
            f'"{text}" is a URL, not a path.',
            "Give a path below the organization's files directory, without a scheme such as file://.",
        )
    if ".." in re.split(r"[/\\]", text):
        raise _path_error(
            f'The path "{text}" leads upwards with "..".',
            "Give a path below the organization's files directory.",
        )
    if text.startswith("~"):
        raise _path_error(
            f'The path "{text}" names a home directory.',
            "Give a path below the organization's files directory.",
        )
    return text


def resolve_path(
    path: str, *, files_root: Path, allowed_roots: Sequence[Path] = (), must_exist: bool = True
) -> Path:
    """The real path (links followed), refused unless it lies below ``files_root`` or an allowed
    root.

    A relative path starts at ``files_root``. Raises ``UserError`` with field ``path``, ``NotFound``
    when it must exist and does not.
    """
    text = check_path_syntax(path)
    real = _real(files_root / text, text)
    _require_inside(real, text, _real_roots(files_root, allowed_roots))
    _require_plain(real, text, must_exist=must_exist)
    return real


def has_glob(path: str) -> bool:
    """Whether the path is a pattern rather than the name of one file."""
    return any(character in _GLOB_CHARACTERS for character in path)


def check_pattern(pattern: str, *, files_root: Path, allowed_roots: Sequence[Path] = ()) -> str:
    """The path or pattern, stripped, once the directories it starts with are judged.

    A pattern must not even list a directory outside; whether anything matches is not asked here.
    """
    text = check_path_syntax(pattern)
    start = _real(files_root / _fixed_part(text), text)
    _require_inside(start, text, _real_roots(files_root, allowed_roots))
    return text


def expand_glob(
    pattern: str, *, files_root: Path, allowed_roots: Sequence[Path] = ()
) -> list[Path]:
    """The files a path or pattern names, sorted, each judged as by ``resolve_path``.

    ``**`` stands for any number of directories. Hidden files are left out. A file that exists by
    exactly that name wins over its reading as a pattern. Raises ``NotFound`` when nothing matches, and
    ``TransientError`` when files vanish again and again while they are listed.
    """
    text = check_pattern(pattern, files_root=files_root, allowed_roots=allowed_roots)
    if not has_glob(text) or (files_root / text).exists():
        real = resolve_path(text, files_root=files_root, allowed_roots=allowed_roots)
        if real.is_dir():
            raise _path_error(
                f'"{text}" is a directory.',
                f'Name a file, or a pattern such as "{text.rstrip("/")}/*".',
            )
        return [real]
    found: list[Path] = []
    for listing in range(LISTINGS):
        found = _matches(files_root / text, text)
        if not found and listing:
            break
        resolved = _judged(found, text, _real_roots(files_root, allowed_roots))
        if resolved:
            return resolved
        # Nothing, or not all of it any more: a load may be putting another directory in the place.
        time.sleep(LISTING_SECONDS)
    if found:
        raise TransientError(
            f'The files of "{text}" change while they are listed.',
            field="path",
            remedy="Run it again when nothing writes to them.",
        )
    raise NotFound(
        f'No file matches "{text}".',
        field="path",
        remedy="Check the pattern, or upload the files first.",
    )


def _judged(found: list[Path], text: str, roots: tuple[Path, ...]) -> list[Path]:
    """The files behind the names, each judged; none where one of them has vanished since it was listed."""
    resolved: set[Path] = set()
    for match in found:
        real = _real(match, text)
        _require_inside(real, match.name, roots)
        try:
            _require_plain(real, match.name, must_exist=True)
        except NotFound:
            # A link that leads nowhere is no file that has vanished.
            if match.is_symlink():
                raise
            return []
        resolved.add(real)
    return sorted(resolved)


def display_path(path: Path, files_root: Path) -> str:
    """The path as the user knows it: relative to the files directory, absolute only below another
    allowed root.
    """
    root = Path(os.path.realpath(files_root))
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def _matches(pattern: Path, text: str) -> list[Path]:
    found: list[Path] = []
    for match in glob.iglob(str(pattern), recursive=True):
        if os.path.isdir(match):
            continue
        found.append(Path(match))
        if len(found) > MAX_FILES:
            raise _path_error(
                f'"{text}" matches more than {MAX_FILES:,} files.', "Make the pattern narrower."
            )
    return found


def _fixed_part(pattern: str) -> str:
    """The directories before the first part that is a pattern."""
    fixed: list[str] = []
    for part in Path(pattern).parts[:-1]:
        if has_glob(part):
            break
        fixed.append(part)
    return str(Path(*fixed)) if fixed else "."


def _real(path: Path, text: str) -> Path:
    try:
        return Path(os.path.realpath(path))
    except (OSError, ValueError) as error:
        raise _path_error(f'"{text}" cannot be resolved.', "Check the path.") from error


def _real_roots(files_root: Path, allowed_roots: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(Path(os.path.realpath(root)) for root in (files_root, *allowed_roots))


def _require_inside(real: Path, text: str, roots: Iterable[Path]) -> None:
    system = any(real.is_relative_to(directory) for directory in _SYSTEM_DIRECTORIES)
    if system or not any(real.is_relative_to(root) for root in roots):
        raise _path_error(
            f'"{text}" lies outside the organization\'s files directory.',
            "Use a path below it, or ask the operator to allow that directory.",
        )


def _require_plain(real: Path, text: str, *, must_exist: bool) -> None:
    """Refuse pipes, sockets and devices: opening one can hang or reach another process."""
    try:
        mode = real.stat().st_mode
    except FileNotFoundError as error:
        if must_exist:
            raise NotFound(
                f'There is no file "{text}".',
                field="path",
                remedy="Check the path, or upload the file first.",
            ) from error
        return
    except OSError as error:
        raise _path_error(
            f'"{text}" cannot be read.', "Ask the operator to check the permissions of that file."
        ) from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise _path_error(f'"{text}" is neither a file nor a directory.', "Name a regular file.")


def _path_error(message: str, remedy: str) -> UserError:
    return UserError(message, field="path", remedy=remedy)


# --- hosts ---------------------------------------------------------------------------------------


def check_host_syntax(host: str) -> str:
    """The host, stripped, or a ``UserError`` for what is no single host name or address."""
    text = host.strip()
    if not text:
        raise _host_error("A host is needed.", "Give a host name or an IP address.")
    if text.startswith(("/", "@")):
        raise _host_error(
            f'"{text}" is a Unix socket, and those are not reachable from a connection.',
            "Give a host name or an IP address.",
        )
    if not re.fullmatch(r"[A-Za-z0-9_.:%\-\u0080-\U0010ffff]+", text):
        raise _host_error(
            f'"{text}" is not a single host name.',
            "Give the host alone: no scheme, no port, no user, one host only.",
        )
    return text


def resolve_host(host: str, port: int, *, egress: str) -> str:
    """The address to dial for the host, resolved and judged once. See ``resolve_addresses``."""
    return resolve_addresses(host, port, egress=egress)[0]


def resolve_addresses(host: str, port: int, *, egress: str) -> list[str]:
    """Every address of the host that may be dialled, in the resolver's order.

    Raises ``UserError`` with field ``host`` when the name does not exist or none of its addresses
    is allowed, and ``TransientError`` when the name service does not answer.
    """
    text = check_host_syntax(host)
    addresses = _lookup(text, port)
    allowed = [address for address in addresses if not _refusal(address, egress)]
    if not allowed:
        reason = _refusal(addresses[0], egress)
        raise _host_error(
            f'"{text}" is at {addresses[0]}, {reason}.',
            "Use a host that Datanika may reach, or ask the operator about the egress policy.",
        )
    return [str(address) for address in allowed]


def check_far_host(host: str) -> str:
    """The host, stripped, when it is saved or for another machine to dial; refused where no policy allows it.

    A name means later, or over there, what the resolver then says, so only addresses are judged, also
    in the spellings ("0xa9fea9fe") that resolvers take for one.
    """
    text = check_host_syntax(host)
    address = _literal(text)
    reason = _refusal(address, PRIVATE_ALLOWED) if address else ""
    if text.rstrip(".").lower() in _METADATA_NAMES:
        reason = "a metadata service of the machine's provider"
    if reason:
        raise _host_error(f'"{text}" is {reason}.', "Use the host of a database server.")
    return text


def _literal(host: str) -> IPAddress | None:
    """The address the text stands for; None for a name."""
    try:
        # Resolvers read full-width digits and other dots as the plain ones.
        plain = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    plain = plain.rstrip(".")
    try:
        return ipaddress.ip_address(plain)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(plain))
    except OSError:
        return None


def _lookup(host: str, port: int) -> list[IPAddress]:
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            raise TransientError(
                f'The name service did not answer for "{host}".',
                field="host",
                remedy="Try again; if it stays so, check the name and the DNS of this machine.",
                detail=str(error.strerror or ""),
            ) from error
        raise _host_error(
            f'The host name "{host}" does not exist.',
            "Check the spelling of the host.",
            error.strerror,
        ) from error
    except UnicodeError as error:
        raise _host_error(f'"{host}" is not a valid host name.', "Check the spelling.") from error
    seen: dict[IPAddress, None] = {}
    for answer in answers:
        seen.setdefault(ipaddress.ip_address(answer[4][0]))
    return list(seen)


def _refusal(address: IPAddress, egress: str) -> str:
    """Why the address may not be dialled, as the end of a sentence; empty when it may."""
    plain = _unwrap(address)
    if plain in _METADATA_ADDRESSES:
        return "a metadata service of the machine's provider"
    if plain.is_link_local:
        return "a link-local address"
    if plain.is_multicast:
        return "a multicast address"
    if plain.is_unspecified or plain in ipaddress.ip_network("0.0.0.0/8"):
        return "no address of a host"
    if plain.is_reserved and not plain.is_loopback:
        return "a reserved address"
    # Anything but the private wish is closed: a misspelt setting must not open the private network.
    if egress != PRIVATE_ALLOWED and not plain.is_global:
        return "a private address, and only public ones are allowed here"
    return ""


def _unwrap(address: IPAddress) -> IPAddress:
    """The IPv4 address an IPv6 address carries, if it carries one."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if address.sixtofour:
        return address.sixtofour
    if address.teredo:
        return address.teredo[1]
    if address in _NAT64:
        return ipaddress.IPv4Address(address.packed[-4:])
    # A scope ("%eth0") makes an address unequal to the same address without one.
    return ipaddress.IPv6Address(address.packed)


def _host_error(message: str, remedy: str, detail: str | None = "") -> UserError:
    return UserError(message, field="host", remedy=remedy, detail=detail or "")
