#!/usr/bin/python3
"""Seeds of dp-listen's fuzz targets out of a capture (tests/harness/responders).

usage: corpora.py FILE.pcap DIRECTORY    writes DIRECTORY/fuzz_<protocol>/<sha1>
Of each protocol at most SEEDS that differ in length or how they begin. Ethernet, IPv4 and IPv6
without options; what it does not know goes to fuzz_ether alone.
SPDX-License-Identifier: ISC
"""
import hashlib
import os
import struct
import sys

SEEDS = 8
UDP = {53: "rdns", 67: "dhcp", 68: "dhcp", 137: "netbios", 161: "snmp", 546: "dhcp6",
       547: "dhcp6", 1900: "ssdp", 5353: "mdns", 5355: "llmnr"}


def frames(path):
    data = open(path, "rb").read()
    assert struct.unpack("<IHHiIII", data[:24])[0] in (0xA1B2C3D4, 0xA1B23C4D), path
    at = 24
    while at < len(data):
        size = struct.unpack("<IIII", data[at:at + 16])[2]
        yield data[at + 16:at + 16 + size]
        at += 16 + size


def inner(frame):
    """(protocol, its bytes) of what is in a frame, or None."""
    at = 12
    kind = struct.unpack(">H", frame[at:at + 2])[0]
    while kind in (0x8100, 0x88A8):
        at += 4
        kind = struct.unpack(">H", frame[at:at + 2])[0]
    body = frame[at + 2:]
    if kind == 0x0806:
        return "arp", body
    if kind == 0x88CC:
        return "lldp", body
    if kind < 0x600:
        return ("cdp", body[8:kind]) if body[:8] == b"\xaa\xaa\x03\0\0\x0c\x20\0" else None
    if kind == 0x0800:
        proto, body = body[9], body[(body[0] & 15) * 4:struct.unpack(">H", body[2:4])[0]]
    elif kind == 0x86DD:
        proto, body = body[6], body[40:40 + struct.unpack(">H", body[4:6])[0]]
    else:
        return None
    if proto == 0 and body[0] == 58:  # hop by hop: the router alert of MLD
        return "mld", b"\0" + body[8:]  # the hop limit less one, as fuzz_mld wants it
    if proto == 58:
        return ("ndp" if 133 <= body[0] <= 136 else "echo"), body
    if proto == 1:
        return "echo", body
    if proto != 17:
        return None
    ports = struct.unpack(">HH", body[:4])
    name = UDP.get(ports[0]) or UDP.get(ports[1])
    return (name, body[8:]) if name else None


def main():
    seen = {}
    for frame in frames(sys.argv[1]):
        found = inner(frame)
        seeds = [("ether", frame)] if found is None else [("ether", frame), found]
        for name, data in seeds:
            # of whole frames: some of each protocol, not the first ones only
            key = (name, found[0] if found else "other")
            have = seen.setdefault(key, {})
            if len(have) < (2 if name == "ether" else SEEDS):
                have.setdefault((len(data), data[:8]), data)
    for (name, _), have in seen.items():
        folder = os.path.join(sys.argv[2], "fuzz_" + name)
        os.makedirs(folder, exist_ok=True)
        for data in have.values():
            with open(os.path.join(folder, hashlib.sha1(data).hexdigest()[:16]), "wb") as f:
                f.write(data)


main()
