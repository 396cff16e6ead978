# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encode and decode netlink messages: the structures, constants and attributes that a vhost needs, by the kernel's names.

The names are those of linux/netlink.h, rtnetlink.h, if_link.h, if_addr.h, neighbour.h and veth.h. Attributes are encoded from [(name, value)];
the value of a nested attribute is such a list again. They are decoded to {name: value}.

pyroute2 is not used, because its general codec takes many times as long (tests/bench/netlink.py) and a vhost would need one more package.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterable, Iterator

TYPE_CHECKING = False  # typing.TYPE_CHECKING without reading typing, which takes longer than all of this file
if TYPE_CHECKING:
    from typing import Any

NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 0x1, 0x4, 0x300
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE, NLM_F_APPEND = 0x100, 0x200, 0x400, 0x800
RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 16, 17, 18, 19
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
RTM_NEWNEIGH, RTM_DELNEIGH = 28, 29
IFF_UP = 0x1
IFA_F_NODAD, IFA_F_DADFAILED, IFA_F_TENTATIVE, IFA_F_PERMANENT = 0x02, 0x08, 0x40, 0x80
IN6_ADDR_GEN_MODE_NONE = 1
RTEXT_FILTER_SKIP_STATS = 0x8
RT_TABLE_UNSPEC, RT_TABLE_MAIN, RT_TABLE_LOCAL = 0, 254, 255
RT_SCOPE_UNIVERSE, RT_SCOPE_LINK = 0, 253
RTPROT_KERNEL, RTPROT_STATIC, RTPROT_RA, RTPROT_DHCP = 2, 4, 9, 16
RTN_UNICAST = 1
RTM_F_CLONED, RTNH_F_ONLINK = 0x200, 0x4
NUD_NOARP, NUD_PERMANENT, NTF_SELF = 0x40, 0x80, 0x02

U8_MAX = 0xFF  # larger numbers of flags and tables are only in an attribute
NLA_ALIGNTO = 4  # messages, attributes and next hops begin at multiples of this

_NLA_TYPE_MASK = 0x3FFF  # without the flags "nested" and "in network byte order"
_NLATTR = struct.Struct("=HH")  # nla_len, nla_type
_NLA_HDRLEN = _NLATTR.size
_PAD, _MULTIPLE = NLA_ALIGNTO - 1, -NLA_ALIGNTO  # (length + _PAD) & _MULTIPLE is the length, rounded up
_IPV4_LENGTH = 4
_ERRNO = struct.Struct("=i")
_CACHEINFO_EXPIRES = struct.Struct("=8xi")


class Structure:
    """One of the kernel's structures: its layout and the names of its fields, in order."""

    def __init__(self, layout: str, *fields: str):
        self._struct, self._fields = struct.Struct(layout), fields
        self.size = self._struct.size

    def encode(self, **values: int) -> bytes:
        """Return the structure as bytes. A field that is not given is 0."""
        return self._struct.pack(*[values.get(field, 0) for field in self._fields])

    def decode(self, data: bytes, offset: int = 0) -> dict[str, int]:
        """Return the fields of the structure that begins at ``offset``."""
        return dict(zip(self._fields, self._struct.unpack_from(data, offset)))


NLMSGHDR = Structure("=IHHII", "nlmsg_len", "nlmsg_type", "nlmsg_flags", "nlmsg_seq", "nlmsg_pid")
IFINFOMSG = Structure("=BxHiII", "ifi_family", "ifi_type", "ifi_index", "ifi_flags", "ifi_change")
IFADDRMSG = Structure("=BBBBI", "ifa_family", "ifa_prefixlen", "ifa_flags", "ifa_scope", "ifa_index")
RTMSG = Structure("=BBBBBBBBI", "rtm_family", "rtm_dst_len", "rtm_src_len", "rtm_tos", "rtm_table", "rtm_protocol", "rtm_scope", "rtm_type", "rtm_flags")
NDMSG = Structure("=BxxxiHBB", "ndm_family", "ndm_ifindex", "ndm_state", "ndm_flags", "ndm_type")
RTNEXTHOP = Structure("=HBBi", "rtnh_len", "rtnh_flags", "rtnh_hops", "rtnh_ifindex")


def message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    """Return a request as it is sent.

    body  a structure and its attributes
    """
    head = NLMSGHDR.encode(nlmsg_len=NLMSGHDR.size + len(body), nlmsg_type=kind, nlmsg_flags=NLM_F_REQUEST | flags, nlmsg_seq=sequence)
    return head + body + bytes(-len(body) % NLA_ALIGNTO)


def messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield (type, sequence number, body) of every message of a datagram, in order."""
    offset = 0
    while offset + NLMSGHDR.size <= len(data):
        head = NLMSGHDR.decode(data, offset)
        if head["nlmsg_len"] < NLMSGHDR.size:
            return
        yield head["nlmsg_type"], head["nlmsg_seq"], data[offset + NLMSGHDR.size:offset + head["nlmsg_len"]]
        offset += (head["nlmsg_len"] + _PAD) & _MULTIPLE


def error_number(body: bytes) -> int:
    """Return the error number of a message NLMSG_ERROR, 0 for an acknowledgement."""
    return -_ERRNO.unpack_from(body)[0]


def encode(attributes: Iterable[tuple[str, Any]]) -> bytes:
    """Return attributes as bytes."""
    parts = []
    for name, value in attributes:
        number, to_bytes = _ENCODERS[name]
        parts.append(_attribute(number, to_bytes(value)))
    return b"".join(parts)


def _attribute(number: int, data: bytes) -> bytes:
    return _NLATTR.pack(_NLA_HDRLEN + len(data), number) + data + bytes(-len(data) % NLA_ALIGNTO)


def decode(kind: int, body: bytes) -> tuple[dict[str, int], dict[str, Any]]:
    """Return the structure and the attributes of a message of this type. Attributes that have no name here are left out."""
    structure, decoders = _BODIES[kind]
    return structure.decode(body), _decode(decoders, body, structure.size)


def decode_raw(kind: int, body: bytes) -> tuple[dict[str, int], dict[str | int, bytes]]:
    """Return the structure and all attributes of a message, with the values as the kernel sent them.

    An attribute that has no name here is listed by its number.
    """
    structure, decoders = _BODIES[kind]
    return structure.decode(body), {decoders[number][0] if number in decoders else number: value for number, value in _split(body, structure.size)}


def encode_raw(attributes: dict[str | int, bytes]) -> bytes:
    """Return attributes as bytes that ``decode_raw`` has listed."""
    return b"".join(_attribute(name if isinstance(name, int) else _ENCODERS[name][0], data) for name, data in attributes.items())


def value_bytes(name: str, value: Any) -> bytes:
    """Return an attribute's value as bytes."""
    return _ENCODERS[name][1](value)


def value_of(name: str, data: bytes) -> Any:
    """Return an attribute's value, decoded from bytes."""
    return _DECODERS[name](data)


def attribute_bytes(body: bytes, number: int, offset: int) -> bytes:
    """Return the value of an attribute of a message of another netlink family, b"" if the message lacks it.

    offset  size of the structure before the attributes
    """
    return next((value for found, value in _split(body, offset) if found == number), b"")


def attributes_of(body: bytes, offset: int = 0) -> dict[int, bytes]:
    """Return {number: value} of the attributes of a message of another netlink family, or of a nested attribute.

    offset  size of the structure before the attributes
    """
    return dict(_split(body, offset))


def attribute_of(number: int, data: bytes) -> bytes:
    """Return one attribute of another netlink family as bytes."""
    return _attribute(number, data)


def _split(data: bytes, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    end = len(data)
    while offset + _NLA_HDRLEN <= end:
        length, number = _NLATTR.unpack_from(data, offset)
        if length < _NLA_HDRLEN:
            return
        yield number & _NLA_TYPE_MASK, data[offset + _NLA_HDRLEN:offset + length]
        offset += (length + _PAD) & _MULTIPLE


def _decode(decoders: Decoders, data: bytes, offset: int = 0) -> dict[str, Any]:
    """Decode the attributes that have a name. Like ``_split``, but without copying the others: a link has fifty, of which a dozen have one."""
    found, end, head, known = {}, len(data), _NLATTR.unpack_from, decoders.get
    while offset + _NLA_HDRLEN <= end:
        length, number = head(data, offset)
        if length < _NLA_HDRLEN:
            break
        attribute = known(number & _NLA_TYPE_MASK)
        if attribute:
            found[attribute[0]] = attribute[1](data[offset + _NLA_HDRLEN:offset + length])
        offset += (length + _PAD) & _MULTIPLE
    return found


# -- kinds of values: (to bytes, from bytes)

if TYPE_CHECKING:
    Codec = tuple[Callable[[Any], bytes], Callable[[bytes], Any]]
    Table = dict[str, tuple[int, Codec]]
    Decoders = dict[int, tuple[str, Callable[[bytes], Any]]]


def _number(layout: str) -> Codec:
    packed = struct.Struct(layout)
    return packed.pack, lambda data: packed.unpack_from(data)[0]


def _text(value: str) -> bytes:
    return value.encode() + b"\0"


def _text_of(data: bytes) -> str:
    return data.rstrip(b"\0").decode(errors="replace")


def _mac(value: str) -> bytes:
    return bytes.fromhex(value.replace(":", ""))


def _mac_of(data: bytes) -> str:
    return data.hex(":")


def _ip(value: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in value else socket.AF_INET, value)


def _ip_of(data: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET if len(data) == _IPV4_LENGTH else socket.AF_INET6, data)


def _nested(names: Table) -> Codec:
    decoders = _by_number(names)
    return encode, lambda data: _decode(decoders, data)


def _by_number(names: Table) -> Decoders:
    return {number: (name, from_bytes) for name, (number, (_to_bytes, from_bytes)) in names.items()}


def _peer(value: Iterable[tuple[str, Any]]) -> bytes:
    """Encode the other end of a veth pair, which is a whole link message."""
    return IFINFOMSG.encode() + encode(value)


def _peer_of(data: bytes) -> dict[str, Any]:
    return decode(RTM_NEWLINK, data)[1]


def _link_info_of(data: bytes) -> dict[str, Any]:
    """Decode IFLA_LINKINFO. The meaning of IFLA_INFO_DATA depends on the kind of the device, which comes first."""
    found: dict[str, Any] = {}
    for number, value in _split(data):
        if number == _LINK_INFO["IFLA_INFO_KIND"][0]:
            found["IFLA_INFO_KIND"] = _text_of(value)
        elif number == _LINK_INFO["IFLA_INFO_DATA"][0]:
            found["IFLA_INFO_DATA"] = _decode(_INFO_DATA.get(found.get("IFLA_INFO_KIND", ""), {}), value)
    return found


def _next_hops_of(data: bytes) -> list[int]:
    """Return the indexes of the interfaces that the hops of a multipath route go through."""
    found, offset = [], 0
    while offset + RTNEXTHOP.size <= len(data):
        hop = RTNEXTHOP.decode(data, offset)
        if hop["rtnh_len"] < RTNEXTHOP.size:
            break
        found.append(hop["rtnh_ifindex"])
        offset += (hop["rtnh_len"] + _PAD) & _MULTIPLE
    return found


def _settings_of(layout: str, places: dict[str, int]) -> Callable[[bytes], dict[str, int]]:
    """Return what decodes an array of a device's settings: {name: its number in the array} gives {name: value}. A kernel may have fewer."""
    packed = struct.Struct(layout)
    return lambda data: {name: packed.unpack_from(data, place * packed.size)[0] for name, place in places.items() if (place + 1) * packed.size <= len(data)}


def _not_written(_value: Any) -> bytes:
    raise NotImplementedError("this attribute is only decoded, or passed on as it is")


_U8, _U16, _U32, _BE16 = _number("=B"), _number("=H"), _number("=I"), _number("!H")
_TEXT: Codec = (_text, _text_of)
_MAC: Codec = (_mac, _mac_of)
_IP: Codec = (_ip, _ip_of)
_BYTES: Codec = (bytes, bytes)
_NEXT_HOPS: Codec = (_not_written, _next_hops_of)
_EXPIRES: Codec = (_not_written, lambda data: _CACHEINFO_EXPIRES.unpack_from(data)[0])  # in hundredths of a second

# -- the kernel's names: {name: (number, kind of value)}

_INET_SETTING: Table = {"IPV4_DEVCONF_ARP_IGNORE": (19, _U32)}
_INET: Table = {"IFLA_INET_CONF": (1, (encode, _settings_of("=I", {"IPV4_DEVCONF_ARP_IGNORE": 18})))}  # as sent, its numbers begin with 1
_INET6: Table = {
    "IFLA_INET6_CONF": (2, (_not_written, _settings_of("=i", {"DEVCONF_DISABLE_IPV6": 26}))), "IFLA_INET6_ADDR_GEN_MODE": (8, _U8),
}
_AF_SPEC: Table = {"AF_INET": (int(socket.AF_INET), _nested(_INET)), "AF_INET6": (int(socket.AF_INET6), _nested(_INET6))}
_LINK_INFO: Table = {"IFLA_INFO_KIND": (1, _TEXT), "IFLA_INFO_DATA": (2, (encode, bytes))}
_VETH: Table = {"VETH_INFO_PEER": (1, (_peer, _peer_of))}
_BRIDGE: Table = {
    "IFLA_BR_FORWARD_DELAY": (1, _U32), "IFLA_BR_STP_STATE": (5, _U32), "IFLA_BR_GROUP_FWD_MASK": (9, _U16), "IFLA_BR_MCAST_SNOOPING": (23, _U8),
    "IFLA_BR_NF_CALL_IPTABLES": (36, _U8), "IFLA_BR_NF_CALL_IP6TABLES": (37, _U8), "IFLA_BR_NF_CALL_ARPTABLES": (38, _U8),
    "IFLA_BR_FDB_MAX_LEARNED": (49, _U32),
}
_VXLAN: Table = {
    "IFLA_VXLAN_ID": (1, _U32), "IFLA_VXLAN_GROUP": (2, _IP), "IFLA_VXLAN_LINK": (3, _U32), "IFLA_VXLAN_LOCAL": (4, _IP), "IFLA_VXLAN_TTL": (5, _U8),
    "IFLA_VXLAN_LEARNING": (7, _U8), "IFLA_VXLAN_LIMIT": (9, _U32), "IFLA_VXLAN_PORT": (15, _BE16),
}
_INFO_DATA = {kind: _by_number(names) for kind, names in (("veth", _VETH), ("bridge", _BRIDGE), ("vxlan", _VXLAN))}
_LINK: Table = {
    "IFLA_ADDRESS": (1, _MAC), "IFLA_IFNAME": (3, _TEXT), "IFLA_MTU": (4, _U32), "IFLA_LINK": (5, _U32), "IFLA_MASTER": (10, _U32),
    "IFLA_LINKINFO": (18, (encode, _link_info_of)), "IFLA_IFALIAS": (20, _TEXT), "IFLA_AF_SPEC": (26, _nested(_AF_SPEC)), "IFLA_GROUP": (27, _U32),
    "IFLA_NET_NS_FD": (28, _U32), "IFLA_EXT_MASK": (29, _U32), "IFLA_NUM_TX_QUEUES": (31, _U32), "IFLA_NUM_RX_QUEUES": (32, _U32),
    "IFLA_LINK_NETNSID": (37, _U32),
}
_ADDRESS: Table = {"IFA_ADDRESS": (1, _IP), "IFA_LOCAL": (2, _IP), "IFA_LABEL": (3, _TEXT), "IFA_BROADCAST": (4, _IP), "IFA_FLAGS": (8, _U32)}
_ROUTE: Table = {
    "RTA_DST": (1, _IP), "RTA_OIF": (4, _U32), "RTA_GATEWAY": (5, _IP), "RTA_PREFSRC": (7, _IP), "RTA_MULTIPATH": (9, _NEXT_HOPS),
    "RTA_CACHEINFO": (12, _EXPIRES), "RTA_TABLE": (15, _U32), "RTA_VIA": (18, _BYTES), "RTA_ENCAP": (22, _BYTES), "RTA_EXPIRES": (23, _U32),
    "RTA_NH_ID": (30, _U32),
}
_NEIGHBOUR: Table = {"NDA_DST": (1, _IP), "NDA_LLADDR": (2, _MAC)}

_NAMES: Table = {**_LINK, **_LINK_INFO, **_VETH, **_BRIDGE, **_VXLAN, **_AF_SPEC, **_INET, **_INET_SETTING, **_INET6, **_ADDRESS, **_ROUTE, **_NEIGHBOUR}
_ENCODERS = {name: (number, to_bytes) for name, (number, (to_bytes, _from_bytes)) in _NAMES.items()}
_DECODERS = {name: from_bytes for name, (_number_of, (_to_bytes, from_bytes)) in _NAMES.items()}
_BODIES: dict[int, tuple[Structure, Decoders]] = {
    kind: body
    for kinds, body in (
        ((RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK), (IFINFOMSG, _by_number(_LINK))),
        ((RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR), (IFADDRMSG, _by_number(_ADDRESS))),
        ((RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE), (RTMSG, _by_number(_ROUTE))),
        ((RTM_NEWNEIGH, RTM_DELNEIGH), (NDMSG, _by_number(_NEIGHBOUR))),
    )
    for kind in kinds
}
