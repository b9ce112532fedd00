#!/usr/bin/python3
"""What the listening end of tests/harness/responders asks, where no program of
Debian's does: mDNS, LLMNR, reverse DNS, SSDP.

usage: ask.py ask                  once each, out of e0; answers are not read
       ask.py tagged               ARP requests in VLAN 7, and in VLAN 9 within 8
       ask.py register SOCKET      a device at minissdpd, which answers for it
SPDX-License-Identifier: ISC
"""
import ipaddress
import socket
import struct
import sys
import time

PTR, ANY, TXT, SRV, A = 12, 255, 16, 33, 1


def name(text):
    return b"".join(bytes([len(p)]) + p.encode() for p in text.split(".")) + b"\0"


def query(text, kind, flags=0, klass=1, ident=0x4242):
    return struct.pack(">6H", ident, flags, 1, 0, 0, 0) + name(text) + struct.pack(">HH", kind, klass)


def reverse(addr):
    return ipaddress.ip_address(addr).reverse_pointer


def udp(family=socket.AF_INET):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"e0")
    return s


def ask():
    # the answers come to these sockets, which stay open; the capture has them
    s4, s6 = udp(), udp(socket.AF_INET6)
    index = socket.if_nametoindex("e0")
    s6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
    s4.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
    mdns = udp()
    mdns.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    mdns.bind(("", 5353))
    group = socket.inet_aton("224.0.0.251") + struct.pack("=Ii", 0, index)
    mdns.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
    mdns.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, group[:4] + group[4:])
    for what, kind in (("_services._dns-sd._udp.local", PTR), ("_ipp._tcp.local", PTR),
                       ("printer.local", ANY), (reverse("198.18.0.10"), PTR)):
        mdns.sendto(query(what, kind), ("224.0.0.251", 5353))
        s4.sendto(query(what, kind), ("198.18.0.10", 5353))
        time.sleep(0.4)
    for what, kind in (("winlike", A), (reverse("198.18.0.15"), PTR)):
        s4.sendto(query(what, kind), ("224.0.0.252", 5355))
        s6.sendto(query(what, kind), ("ff02::1:3", 5355, 0, index))
        s4.sendto(query(what, kind), ("198.18.0.15", 5355))
        time.sleep(0.3)
    for addr in ("198.18.0.11", "2001:db8:5::11", "198.18.0.99"):
        s4.sendto(query(reverse(addr), PTR, 0x0100), ("198.18.0.12", 53))
    for st in ("ssdp:all", "upnp:rootdevice", "urn:schemas-upnp-org:device:MediaServer:1"):
        s4.sendto(("M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\n"
                   "MX: 1\r\nST: %s\r\nUSER-AGENT: Linux/6.1 UPnP/1.1 asker/1.0\r\n\r\n" % st).encode(),
                  ("239.255.255.250", 1900))
        time.sleep(0.2)
    time.sleep(2)


def register(path):
    """minissdpd's request 4: type, USN, server, location, each with its length."""
    def text(t):
        return bytes([len(t)]) + t.encode()
    u = "uuid:4d696e69-444c-164e-9d41-020000000516"
    for st in ("urn:schemas-upnp-org:device:MediaServer:1", "upnp:rootdevice"):
        s = socket.socket(socket.AF_UNIX)
        s.connect(path)
        s.send(b"\x04" + text(st) + text(u + "::" + st) +
               text("Debian/12 DLNADOC/1.50 UPnP/1.0 Shelf/1.3.0") + text("http://198.18.0.16:8200/rootDesc.xml"))
        s.close()


def tagged():
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.bind(("e0", 0))
    mac = s.getsockname()[4]
    for tags, net in ((b"\x81\x00\x00\x07", 7), (b"\x88\xa8\x00\x08\x81\x00\x00\x09", 9)):
        s.send(b"\xff" * 6 + mac + tags + struct.pack(">HHHBBH", 0x0806, 1, 0x0800, 6, 4, 1) + mac +
               bytes([198, 18, net, 17]) + bytes(6) + bytes([198, 18, net, 1]))


if sys.argv[1] == "ask":
    ask()
elif sys.argv[1] == "tagged":
    tagged()
else:
    register(sys.argv[2])
