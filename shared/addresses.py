"""Which addresses may be dialled: those anybody on the Internet can reach, and no others.

IANA's special-purpose registries for IPv4 and IPv6, as rules with a word for each. IPv6 is an allow-list:
only 2000::/3 is global unicast; whatever lies outside or is carved out of it is refused.
"""

import re
import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_IPV4 = {
    IPv4Network("0.0.0.0/8"): "unspecified",
    IPv4Network("10.0.0.0/8"): "private",
    IPv4Network("100.64.0.0/10"): "carrier-shared",
    IPv4Network("127.0.0.0/8"): "loopback",
    IPv4Network("169.254.0.0/16"): "link-local",
    IPv4Network("172.16.0.0/12"): "private",
    IPv4Network("192.0.0.0/24"): "reserved",
    IPv4Network("192.0.2.0/24"): "documentation",
    IPv4Network("192.31.196.0/24"): "reserved",
    IPv4Network("192.52.193.0/24"): "reserved",
    IPv4Network("192.88.99.0/24"): "6to4 relay",
    IPv4Network("192.168.0.0/16"): "private",
    IPv4Network("192.175.48.0/24"): "reserved",
    IPv4Network("198.18.0.0/15"): "benchmarking",
    IPv4Network("198.51.100.0/24"): "documentation",
    IPv4Network("203.0.113.0/24"): "documentation",
    IPv4Network("224.0.0.0/4"): "multicast",
    IPv4Network("240.0.0.0/4"): "reserved",
}

# First match wins: narrow rules stand before the wide ones that hold them.
_IPV6 = {
    IPv6Network("::/128"): "unspecified",
    IPv6Network("::1/128"): "loopback",
    IPv6Network("::ffff:0:0/96"): "IPv4-mapped",
    IPv6Network("::ffff:0:0:0/96"): "IPv4-translated",
    IPv6Network("::/96"): "IPv4-compatible",
    IPv6Network("64:ff9b::/96"): "NAT64",
    IPv6Network("64:ff9b:1::/48"): "NAT64",
    IPv6Network("100::/64"): "discard",
    IPv6Network("2001::/32"): "Teredo",
    IPv6Network("2001:db8::/32"): "documentation",
    IPv6Network("2001::/23"): "reserved",
    IPv6Network("2002::/16"): "6to4",
    IPv6Network("2620:4f:8000::/48"): "reserved",
    IPv6Network("3fff::/20"): "documentation",
    IPv6Network("fc00::/7"): "unique-local",
    IPv6Network("fe80::/10"): "link-local",
    IPv6Network("fec0::/10"): "site-local",
    IPv6Network("ff00::/8"): "multicast",
}
_GLOBAL_UNICAST = IPv6Network("2000::/3")

# Names that are answered inside a machine or a network: RFC 6761, 6762, 8375, and ICANN's resolution on .internal.
_INNER_NAMES = {
    "localhost": "loopback", "local": "link-local", "internal": "private", "home.arpa": "private", "lan": "private",
}  # fmt: skip
# No top-level domain is a number, so resolvers take such a host for an address in some spelling.
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*", re.IGNORECASE)


def literal(host: str) -> str | None:
    """The address that a host spells; None for a name. 2130706433, 017700000001, 0x7f.1 and 127.1 are 127.0.0.1 to
    resolvers, so they are here. Raises ValueError for what ends with a number and is no address.
    """
    try:
        return str(ip_address(host))
    except ValueError:
        pass
    if not _NUMBER.fullmatch(host.rpartition(".")[2]):
        return None
    try:
        return str(IPv4Address(socket.inet_aton(host)))
    except OSError as error:
        raise ValueError(f"{host} is not an address") from error


def inner_kind(host: str) -> str | None:
    """The word for what makes a host one that not everybody can reach, as far as its spelling tells; else None.

    A name may still have such an address: who looks it up asks special_kind of each.
    """
    try:
        address = literal(host)
    except ValueError:
        return "malformed"
    if address is not None:
        return special_kind(address)
    labels = host.lower().rstrip(".").split(".")
    known = (_INNER_NAMES.get(".".join(labels[-length:])) for length in (1, 2))
    # A name without a dot is looked up below the network's own domains.
    return next(filter(None, known), "local" if len(labels) == 1 else None)


def special_kind(address: str) -> str | None:
    """The word for what makes this address not global unicast ("loopback", "private", ...); None if it is."""
    return _kind(ip_address(address))


def _kind(address: IPv4Address | IPv6Address) -> str | None:
    if isinstance(address, IPv4Address):
        return next((kind for network, kind in _IPV4.items() if address in network), None)
    if address.scope_id is not None:
        return "zoned"
    special = next((kind for network, kind in _IPV6.items() if address in network), None)
    return special or (None if address in _GLOBAL_UNICAST else "reserved")
