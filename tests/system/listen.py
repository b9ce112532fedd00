#!/usr/bin/python3
"""Frames for tests of dp-listen, out of an interface.

usage: listen.py IFACE arp ADDRESS [TIMES]     a request that says who has ADDRESS
       listen.py IFACE tagged ADDRESS          the same in VLAN 7
       listen.py IFACE priority ADDRESS        the same with a tag of VLAN 0
       listen.py IFACE double ADDRESS          the same in VLAN 9 within 8
       listen.py IFACE ns                      a neighbour solicitation from fe80::7
       listen.py IFACE reply ADDRESS MAC       an ARP reply to that MAC alone
       listen.py IFACE flood N                 requests of N spoofed devices
       listen.py IFACE junk N                  N frames of random bytes behind types
                                               and ports that are listened to
       listen.py IFACE short                   of ARP, IPv4 and mDNS one each, cut off
       listen.py IFACE cluster ADDRESS         answers who asks for it, with a group's MAC
       listen.py IFACE bulk                    what must not pass the filter: 100 of
                                               TCP, UDP to any port, unicast mDNS
SPDX-License-Identifier: ISC
"""
import random
import socket
import struct
import sys

s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind((sys.argv[1], 0))
mac = s.getsockname()[4]
what, args = sys.argv[2], sys.argv[3:]
ALL = b"\xff" * 6


def arp(addr, op=1, sender=mac):
    return struct.pack(">HHHBBH", 0x806, 1, 0x800, 6, 4, op) + sender + socket.inet_aton(addr) + bytes(6) + bytes([198, 18, 0, 1])


def udp(src, dst, sport, dport, data):
    return (struct.pack(">HBBHHHBBH", 0x800, 0x45, 0, 28 + len(data), 0, 0, 64, 17, 0) + socket.inet_aton(src) +
            socket.inet_aton(dst) + struct.pack(">HHHH", sport, dport, 8 + len(data), 0) + data)


if what == "arp":
    for _ in range(int(args[1]) if len(args) > 1 else 1):
        s.send(ALL + mac + arp(args[0]))
elif what == "tagged":
    s.send(ALL + mac + b"\x81\0\0\7" + arp(args[0]))
elif what == "priority":
    s.send(ALL + mac + b"\x81\0\xe0\0" + arp(args[0]))
elif what == "double":
    s.send(ALL + mac + b"\x88\xa8\0\x08\x81\0\0\x09" + arp(args[0]))
elif what == "ns":
    s.send(b"\x33\x33\xff\0\0\x01" + mac + b"\x86\xdd\x60\0\0\0\0\x18\x3a\xff" + b"\xfe\x80" + bytes(13) + b"\7" +
           b"\xff\2" + bytes(9) + b"\1\xff\0\0\1" + b"\x87" + bytes(7) + b"\xfe\x80" + bytes(13) + b"\1")
elif what == "search":  # to SSDP's group
    s.send(bytes.fromhex("01005e7ffffa") + mac + udp(args[0], "239.255.255.250", 1900, 1900, b"M-SEARCH * HTTP/1.1\r\n\r\n"))
elif what == "reply":
    s.send(bytes.fromhex(args[1].replace(":", "")) + mac + arp(args[0], 2))
elif what == "flood":
    for i in range(int(args[0])):
        m = b"\x02\0\0" + struct.pack(">I", i)[1:]
        s.send(ALL + m + arp("198.19.%d.%d" % (i >> 8 & 255, i & 255), sender=m))
elif what == "junk":
    r = random.Random(1)
    for _ in range(int(args[0])):
        data = r.randbytes(r.randrange(400))
        s.send(ALL + mac + r.choice([
            b"\x08\x06" + data, b"\x88\xcc" + data,
            udp("198.18.0.9", "224.0.0.251", 5353, 5353, struct.pack(">HHHHHH", 0, 0x8400, 0, 9, 0, 0) + data),
            udp("198.18.0.9", "224.0.0.252", 5355, 5355, struct.pack(">HHHHHH", 0, 0x8000, 0, 9, 0, 0) + data),
            udp("198.18.0.9", "255.255.255.255", 137, 137, data), udp("0.0.0.0", "255.255.255.255", 68, 67, data),
            udp("198.18.0.9", "239.255.255.250", 1900, 1900, b"NOTIFY * HTTP/1.1\r\n" + data),
            b"\x86\xdd\x60\0\0\0" + struct.pack(">H", len(data)) + b"\x3a\xff" + r.randbytes(32) + data]))
elif what == "short":
    mdns = udp("198.18.0.9", "224.0.0.251", 5353, 5353, b"\0\0\x84")
    s.send(ALL + mac + arp("198.18.0.9")[:20])
    s.send(ALL + mac + mdns)
    s.send(ALL + mac + mdns[:4] + b"\x04\0" + mdns[6:])
elif what == "cluster":
    group = b"\3\xbf" + socket.inet_aton(args[0])
    arps = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x806))
    print("listens", flush=True)
    while True:
        q = arps.recv(2048)
        if q[20:22] == b"\0\1" and q[38:42] == group[2:]:
            s.send(q[6:12] + mac + b"\x08\x06" + q[14:20] + b"\0\2" + group + group[2:] + q[22:32])
elif what == "bulk":
    to = bytes.fromhex(args[0].replace(":", ""))
    for i in range(100):
        s.send(to + mac + struct.pack(">HBBHHHBBH", 0x800, 0x45, 0, 40, 0, 0, 64, 6, 0) + bytes(28))
        s.send(to + mac + udp("198.18.0.9", "198.18.0.1", 5000, 4000 + i, bytes(100)))
        s.send(b"\x01\0\x5e\x7f\x4d\1" + mac + udp("198.18.0.9", "239.255.77.1", 5000, 15001, bytes(100)))
        s.send(to + mac + udp("198.18.0.9", "198.18.0.1", 5353, 5353, bytes(12)))
        s.send(to + mac + udp("198.18.0.9", "198.18.0.1", 53, 5000, bytes(12)))
else:
    sys.exit(__doc__)
