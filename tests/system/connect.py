#!/usr/bin/python3
"""Both ends of tunnels through the gateway's HTTP CONNECT, for the system tests.

connect.py server PORT [HOST]
    Greets with "hello\\n", then echoes; after the client's end says "end".
connect.py CASE [ARG...]: see the functions below; exit 0 if all was as it says.
    With TLS=DIR/CERT in the environment by TLS to port 3129, with DIR/CERT.crt and
    .key, trusting DIR/ca/ca.crt; MOST=1.2 then is the newest version.
SPDX-License-Identifier: ISC
"""
import os
import select
import socket
import ssl
import sys
import threading
import time

from gateway import RESET, both_ways, cut_within, echo, echoes, listen, read_exactly
from gateway import connect as tcp

TLS = os.environ.get("TLS")
GATEWAY = ("127.0.0.1", 3129 if TLS else 3128)


def connect(to=GATEWAY, source=None):
    s = tcp(to, source)
    return wrapped(s) if TLS else s


def wrapped(s):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if os.environ.get("MOST") == "1.2":
        ctx.maximum_version = ssl.TLSVersion.TLSv1_2
    ctx.load_verify_locations(os.path.dirname(TLS) + "/ca/ca.crt")
    ctx.load_cert_chain(TLS + ".crt", TLS + ".key")
    return ctx.wrap_socket(s, server_hostname="gateway.example")


def ends(s):
    """What comes until the other end closes."""
    got = b""
    while True:
        try:
            part = s.recv(65536)
        except ConnectionResetError:
            if b" 503 " in got[:16]:  # at once, our request came too late
                return got
            raise
        if not part:
            return got
        got += part


def head_of(target, version="1.1"):
    host = f"Host: {target}\r\n" if version == "1.1" else ""
    return f"CONNECT {target} HTTP/{version}\r\n{host}User-Agent: test\r\n\r\n".encode()


def read_head(s):
    """Status, and nothing past the empty line is taken."""
    got = b""
    while not got.endswith(b"\r\n\r\n"):
        got += read_exactly(s, 1)
    return int(got.split(b" ")[1]), got


def opened(target, **kw):
    s = connect(**kw)
    s.sendall(head_of(target))
    status, head = read_head(s)
    assert status == 200, head
    assert read_exactly(s, 6) == b"hello\n"
    return s


# -- the far end --

def serve_one(s):
    try:
        s.sendall(b"hello\n")
        echo(s)
    except OSError as e:
        print("failed", repr(e), flush=True)
    finally:
        s.close()


def server(port, host="0.0.0.0"):
    listener = listen(port, host)
    while True:
        s, peer = listener.accept()
        print("accepted", peer[0], flush=True)
        threading.Thread(target=serve_one, args=(s,), daemon=True).start()


# -- carried --

def carried(target, gateway="127.0.0.1"):
    s = opened(target, to=(gateway, GATEWAY[1]))
    echoes(s)
    if TLS:  # 722 has its half-close
        return
    s.shutdown(socket.SHUT_WR)
    assert ends(s) == b"end", "no half-close"


def old(target):
    """HTTP/1.0 and no Host, as nc and socat ask."""
    s = connect()
    s.sendall(head_of(target, "1.0"))
    assert read_head(s)[0] == 200 and read_exactly(s, 6) == b"hello\n"
    echoes(s)


def early(target):
    """What comes along with the head is the first that is carried."""
    s = connect()
    s.sendall(head_of(target) + b"early")
    assert read_head(s)[0] == 200
    assert read_exactly(s, 11) == b"hello\nearly"
    if TLS:  # in records of their own, before the answer
        s = connect()
        s.sendall(head_of(target))
        s.sendall(b"y" * 30000)
        assert read_head(s)[0] == 200
        assert read_exactly(s, 30006) == b"hello\n" + b"y" * 30000
        return
    s = connect()  # and its end, too
    s.sendall(head_of(target) + b"y" * 30000)
    s.shutdown(socket.SHUT_WR)
    assert read_head(s)[0] == 200
    assert ends(s) == b"hello\n" + b"y" * 30000 + b"end"


def pieces(target):
    """Byte by byte."""
    s = connect()
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for i, b in enumerate(head_of(target)):
        s.sendall(bytes([b]))
        if i % 20 == 0:
            time.sleep(0.002)
    assert read_head(s)[0] == 200
    assert read_exactly(s, 6) == b"hello\n"
    echoes(s)


def bulk(target, megabytes):
    both_ways(opened(target), int(megabytes))


# -- refused --

def answer(s, got=b""):
    """Status and text; the answer is whole, and then the connection ends."""
    got += ends(s)
    head, body = got.split(b"\r\n\r\n", 1)
    lines = head.decode().split("\r\n")
    fields = dict(x.split(": ", 1) for x in lines[1:])
    assert int(fields["Content-Length"]) == len(body), got
    assert fields["Connection"] == "close" and body.count(b"\n") == 1, got
    status = int(lines[0].split(" ")[1])
    assert (status == 405) == ("Allow" in fields), got
    return status, body.decode().strip()


def refused(status, target, text="", source=""):
    s = connect(source=source or None)
    s.sendall(head_of(target))
    got = answer(s)
    assert got[0] == int(status) and text in got[1], got


def asks(status, *lines):
    """A request that is not to our taste; a line that is "@N" is N bytes."""
    s = connect()
    s.sendall(b"".join((b"X: " + b"x" * int(x[1:]) if x[:1] == "@" else x.encode()) + b"\r\n" for x in lines))
    got = answer(s)
    assert got[0] == int(status), got


def raw(status, hexbytes):
    s = connect()
    s.sendall(bytes.fromhex(hexbytes))
    got = answer(s)
    assert got[0] == int(status), got


# -- trouble --

def slow(seconds):
    """A byte now and then: told so when the time for the head is over."""
    s, h, t = connect(), head_of("good.example:9000"), time.monotonic()
    s.settimeout(0.2)
    for i in range(len(h)):
        s.sendall(h[i:i + 1])
        try:
            got = s.recv(65536)
            break
        except TimeoutError:
            pass
    t = time.monotonic() - t
    assert float(seconds) - 0.1 <= t < float(seconds) + 4, t  # all of it takes eight
    s.settimeout(20)
    assert answer(s, got)[0] == 408


def slow_ones(n, seconds):
    """So many slow ones at once, and one that is quick is not held up."""
    held, t = [connect() for _ in range(int(n))], time.monotonic()
    for s in held:
        s.sendall(b"CONNECT good.example:9000 HTTP/1.1\r\nX: ")
    carried("good.example:9000")
    assert not select.select(held[-1:], [], [], 0)[0], "only after the slow ones"
    while time.monotonic() - t < float(seconds) / 2:
        for s in held:
            s.sendall(b"x")
        time.sleep(0.1)
    for s in held:
        assert answer(s)[0] == 408


def leaves():
    connect().close()  # a port scanner
    s = connect()      # half a head, then the end
    s.sendall(b"CONNECT good.example:9000 HTTP/1.1\r\n")
    s.shutdown(socket.SHUT_WR)
    try:
        assert ends(s) == b""
    except ConnectionResetError:
        pass
    s = connect()      # half a head, then a reset
    s.sendall(b"CONNECT good.example:9000 HT")
    time.sleep(0.1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    s.close()


def leaves_tls():
    s = connect()      # half a head, then the end, announced
    s.sendall(b"CONNECT good.example:9000 HTTP/1.1\r\n")
    try:
        s.unwrap()
    except (ssl.SSLError, OSError):
        pass
    s = connect()      # half a head, then a reset
    s.sendall(b"CONNECT good.example:9000 HT")
    time.sleep(0.1)
    raw = socket.socket(fileno=s.detach())
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    raw.close()


def half_open():
    """Ends of one side only, in each order, carry what the other side sends."""
    s = opened("good.example:9000")
    s.shutdown(socket.SHUT_WR)
    assert ends(s) == b"end"
    s = connect()  # its end comes before the answer
    s.sendall(head_of("good.example:9000"))
    s.shutdown(socket.SHUT_WR)
    assert read_head(s)[0] == 200 and ends(s) == b"hello\nend"


def many(target, n):
    """So many at once; each gets its own bytes back."""
    held = []
    for i in range(int(n)):
        s = connect()
        s.sendall(head_of(target) + str(i).encode().rjust(8))
        held.append(s)
    for i, s in enumerate(held):
        assert read_head(s)[0] == 200, i
        assert read_exactly(s, 14) == b"hello\n" + str(i).encode().rjust(8), i
    for s in held:
        echoes(s, os.urandom(64))
    print("held", flush=True)
    sys.stdin.readline()
    for s in held:
        echoes(s, os.urandom(64))
    print("well", flush=True)


def crowd(dead, target, n):
    """n want to where nobody answers; who wants elsewhere does not notice."""
    held, dead = [], dead.split()
    for i in range(int(n)):
        s = connect()
        s.sendall(head_of(dead[i % len(dead)]))
        held.append(s)
    time.sleep(0.3)
    echoes(opened(target))
    assert not select.select(held[-1:], [], [], 0)[0], "only when the crowd's time was over"
    for s in held:
        assert answer(s)[0] in (502, 504)


def hold(target, n):
    """Holds n until a line comes on standard input, then echoes on each."""
    held = [opened(target) for _ in range(int(n))]
    print("held", flush=True)
    sys.stdin.readline()
    for s in held:
        echoes(s)
    print("well", flush=True)


def is_cut(alert, least="0", most="20"):
    """A tunnel that works until the gateway ends it with this alert."""
    s = opened("good.example:9000")
    echoes(s)
    print("held", flush=True)
    cut_within(s, least, most, alert)
    print("cut", flush=True)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
