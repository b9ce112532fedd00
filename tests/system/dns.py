#!/usr/bin/env python3
"""dns.py NAME ADDRESS... - a name server for the tests: answers A and AAAA of
NAME on 127.0.0.1:53, for every other name that there is none.
SPDX-License-Identifier: ISC"""
import ipaddress, socket, struct, sys

name = sys.argv[1].lower()
addresses = [ipaddress.ip_address(a) for a in sys.argv[2:]]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 53))
while True:
    q, peer = s.recvfrom(512)
    labels, i = [], 12
    while q[i]:
        labels.append(q[i + 1:i + 1 + q[i]].decode())
        i += 1 + q[i]
    qtype = struct.unpack(">H", q[i + 1:i + 3])[0]
    asked = ".".join(labels).lower()
    print(asked, qtype, flush=True)
    found = [a for a in addresses if asked == name and qtype == (1 if a.version == 4 else 28)]
    flags = 0x8180 if asked == name else 0x8183
    out = q[:2] + struct.pack(">HHHHH", flags, 1, len(found), 0, 0) + q[12:i + 5]
    for a in found:
        out += struct.pack(">HHHIH", 0xC00C, qtype, 1, 60, len(a.packed)) + a.packed
    s.sendto(out, peer)
