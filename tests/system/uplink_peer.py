#!/usr/bin/python3
"""A peer that speaks HTTP/2 as nobody should, for the system tests of uplinks.

uplink_peer.py near CASE CERT KEY [PORT]
    Connects to a far end's uplink-listen and does CASE until that is over; prints
    the word of the GOAWAY that came, or None.
uplink_peer.py fills CERT KEY [PORT [N]], opens CERT KEY LINKS N,
uplink_peer.py unread CERT KEY N: see there.
uplink_peer.py far CASE CERT KEY PORT
    Listens as a far end and does CASE to the first gateway that comes, then to
    the next; prints the word of each GOAWAY.
SPDX-License-Identifier: ISC
"""
import socket
import ssl
import sys
import time

from hyperframe.frame import (ContinuationFrame, DataFrame, HeadersFrame,
                              PingFrame, RstStreamFrame,
                              SettingsFrame, WindowUpdateFrame)

CONNECT = b"\x02\x07CONNECT\x01\x0e127.0.0.1:9000"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def headers(stream, end=True, block=CONNECT):
    return HeadersFrame(stream, data=block,
                        flags=["END_HEADERS"] if end else []).serialize()


def settings():
    return b"".join(SettingsFrame(0).serialize() for _ in range(200))


def ping():
    return b"".join(PingFrame(0, opaque_data=b"12345678").serialize()
                    for _ in range(1000))


def streams():
    """None of them is ended, and no answer is waited for."""
    return b"".join(headers(2 * i + 1) for i in range(20000))


def rapid_reset():
    return b"".join(headers(2 * i + 1) +
                    RstStreamFrame(2 * i + 1, error_code=8).serialize()
                    for i in range(10000))


def continuation():
    return headers(1, end=False) + b"".join(
        ContinuationFrame(1, data=b"").serialize() for _ in range(1000))


def long_headers():
    value = b"a" * 12000
    block = CONNECT + b"\x00\x01x\x7f" + bytes([(12000 - 127) % 128 | 128,
                                                (12000 - 127) // 128]) + value
    return headers(1, block=block)


def window_update():
    return b"".join(WindowUpdateFrame(0, window_increment=1).serialize()
                    for _ in range(30000))


def window_overflow():
    return WindowUpdateFrame(0, window_increment=0x7fffffff).serialize()


def past_the_window():
    """To a server that takes nothing, more than all buffers on the way."""
    return headers(1, block=CONNECT[:-4] + b"9001") + b"".join(
        DataFrame(1, data=bytes(16384)).serialize() for _ in range(1500))


def empty_data():
    return headers(1) + b"".join(DataFrame(1, data=b"").serialize()
                                 for _ in range(3000))


def garbage():
    return b"\x00" * 9 + bytes(range(256)) * 100


def exchange(s, data, seconds=20):
    """Says all of it; the word of a GOAWAY, "" for one without; None: none."""
    got, end = b"", time.monotonic() + seconds
    data = memoryview(data)  # megabytes, of which no piece is copied twice
    s.setblocking(False)
    while time.monotonic() < end:
        try:
            data = data[s.send(data[:16384]):] if data else data
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError:
            data = b""
        try:
            part = s.recv(65536)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            time.sleep(0.002)
            continue
        except OSError:
            return None
        if not part:
            return None
        got += part
        for kind, payload, rest in frames(got):
            if kind == 7:
                return payload[8:].decode()
            got = rest
    return None


def fills(cert, key, port="13002", n=1000):
    """n streams to a server that never connects, each with all its window."""
    c = context(ssl.PROTOCOL_TLS_CLIENT, cert, key)
    s = c.wrap_socket(socket.create_connection(("127.0.0.1", int(port))),
                      server_hostname="server.example")
    s.sendall(PREFACE + SettingsFrame(0).serialize())
    try:
        for i in range(1, 2 * int(n), 2):
            s.sendall(headers(i, block=CONNECT[:-4] + b"9009") +
                      3 * DataFrame(i, data=bytes(16384)).serialize() +
                      DataFrame(i, data=bytes(16383)).serialize())
        print("filled", flush=True)
        while s.recv(65536):
            pass
    except OSError:
        pass
    print("ended", flush=True)


def unread(cert, key, n):
    """Stuffs its own connection with an echo, then asks n times for a server that
    is not allowed. It reads nothing, and says that it has seen every PING."""
    c = context(ssl.PROTOCOL_TLS_CLIENT, cert, key)
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.connect(("127.0.0.1", 13002))
    s = c.wrap_socket(s, server_hostname="server.example")
    s.sendall(PREFACE + SettingsFrame(0, settings={4: 0x7fffffff}).serialize() +
              WindowUpdateFrame(0, window_increment=0x7f000000).serialize() +
              headers(1))
    for _ in range(80):
        s.sendall(3 * DataFrame(1, data=bytes(16000)).serialize())
        time.sleep(0.02)
    print("asking", flush=True)
    blind = PingFrame(0, opaque_data=bytes(8), flags=["ACK"]).serialize()
    data = memoryview(b"".join(
        headers(2 * i + 3, block=CONNECT[:-4] + b"9999") + blind * (i % 1000 == 0)
        for i in range(int(n))))
    s.setblocking(False)
    try:
        while True:
            try:
                data = data[s.send(data[:16384]):] or memoryview(blind)
                time.sleep(0.3 if len(data) == len(blind) else 0)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                time.sleep(0.01)
    except OSError:
        pass
    print("ended", flush=True)


def opens(cert, key, links, n):
    """So many streams over each link, and holds them; how many of them carry,
    and how many are refused."""
    c = context(ssl.PROTOCOL_TLS_CLIENT, cert, key)
    held, carry, refused = [], 0, 0
    for _ in range(int(links)):
        s = c.wrap_socket(socket.create_connection(("127.0.0.1", 13002)),
                          server_hostname="server.example")
        s.sendall(PREFACE + SettingsFrame(0).serialize() +
                  b"".join(headers(2 * i + 1) for i in range(int(n))))
        held.append(s)
        got = b""
        answers = 0
        while answers < int(n):
            got += s.recv(65536)
            for kind, payload, got in frames(got):
                if kind == 1:
                    answers += 1
                    carry += payload[:1] == b"\x88"  # ":status 200"
                    refused += payload[:1] != b"\x88"
    print("carries", carry, "refused", refused, flush=True)
    time.sleep(600)


def context(side, cert, key, ca=None):
    c = ssl.SSLContext(side)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    c.load_cert_chain(cert, key)
    c.set_alpn_protocols(["h2"])
    return c


def near(case, cert, key, port="13002"):
    c = context(ssl.PROTOCOL_TLS_CLIENT, cert, key)
    s = c.wrap_socket(socket.create_connection(("127.0.0.1", int(port))),
                      server_hostname="server.example")
    assert s.selected_alpn_protocol() == "h2"
    word = exchange(s, PREFACE + SettingsFrame(0).serialize() +
                    globals()[case]())
    print(word)


def answers(case, stream):
    ok = headers(stream, block=b"\x88")
    return {
        "far_window": ok + b"".join(DataFrame(stream, data=bytes(16384))
                                    .serialize() for _ in range(1000)),
        "far_settings": settings(),
        "far_silent": b"",
    }[case]


def far(case, cert, key, port):
    """Plays along until the first CONNECT, then does it."""
    c = context(ssl.PROTOCOL_TLS_SERVER, cert, key)
    listener = socket.create_server(("127.0.0.1", int(port)))
    print("listening", flush=True)
    while True:
        raw, _ = listener.accept()
        s = c.wrap_socket(raw, server_side=True)
        s.sendall(SettingsFrame(0).serialize())
        got, stream = b"", None
        while stream is None:
            part = s.recv(65536)
            if not part:
                break
            got += part
            for kind, _, _ in frames(got[24:]):
                if kind == 1:  # the first of a connection
                    stream = 1
        if stream is not None:
            print("goaway", exchange(s, answers(case, stream)), flush=True)
        s.close()


def introduced(cert, key, port):
    """A far end whose window is shorter than a PROXY header; tells when all of one
    has come, with the hello behind it."""
    c = context(ssl.PROTOCOL_TLS_SERVER, cert, key)
    listener = socket.create_server(("127.0.0.1", int(port)))
    print("listening", flush=True)
    s = c.wrap_socket(listener.accept()[0], server_side=True)
    s.sendall(SettingsFrame(0, settings={4: 7}).serialize())
    got, came, at = b"", b"", 24  # behind the preface
    while len(came) < 16 + 12 + 100:
        part = s.recv(65536)
        assert part, (came, "the link has ended")
        got += part
        for kind, payload, rest in frames(got[at:]):
            at = len(got) - len(rest)
            if kind == 1:
                s.sendall(headers(1, block=b"\x88"))
            elif kind == 0:
                assert len(payload) <= 7, payload
                came += payload
                s.sendall(WindowUpdateFrame(1, window_increment=7).serialize())
            elif kind == 3:
                raise AssertionError("reset")
    assert came[:12] == b"\r\n\r\n\0\r\nQUIT\n", came
    n = 16 + int.from_bytes(came[14:16], "big")
    assert came[n:n + 2] == b"\x16\x03", came
    print("introduced", flush=True)
    time.sleep(60)


def frames(b):
    """Type, payload, what is behind, of each that is whole."""
    while len(b) >= 9:
        n = int.from_bytes(b[:3], "big")
        if len(b) < 9 + n:
            return
        yield b[3], b[9:9 + n], b[9 + n:]
        b = b[9 + n:]


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
