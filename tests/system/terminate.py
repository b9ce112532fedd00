#!/usr/bin/python3
"""Both ends of connections whose TLS ends at the gateway, for the system tests.

terminate.py DIR server PORT [echo|silent|reset|pp|clear] [CERT]
    echo: TLS with DIR/CERT.crt (server), wants a certificate of DIR/ca/ca.crt;
    echoes, after the client's end says "end". silent: accepts, never a word.
    reset: resets after the first bytes. clear: echo without TLS. pp: logs the
    header of the PROXY protocol, then as clear.
terminate.py DIR sink PORT [late]
    Takes connections and says of each how many bytes came until it ended. late:
    none can be made before standard input has ended.
terminate.py DIR CASE [ARG...]: see the functions below, clients of the gateway
    with DIR/device.crt; exit 0 if all was as it says.
SPDX-License-Identifier: ISC
"""
import os
import resource
import select
import socket
import ssl
import struct
import sys
import threading
import time

from gateway import RESET, connect, cut_within, echo, echoes, ends, read_exactly

DIR = sys.argv[1]
GATEWAY = ("127.0.0.1", 13001)


def context(server, cert, least=ssl.TLSVersion.TLSv1_2, most=ssl.TLSVersion.TLSv1_3):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    ctx.minimum_version, ctx.maximum_version = least, most
    ctx.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # which some builds of Python begin with
    ctx.verify_mode = ssl.CERT_REQUIRED
    ctx.load_verify_locations(f"{DIR}/ca/ca.crt")
    if cert:
        ctx.load_cert_chain(f"{DIR}/{cert}.crt", f"{DIR}/{cert}.key")
    return ctx


# -- the server --

def tlvs(rest):
    while rest:
        kind, n = rest[0], int.from_bytes(rest[1:3], "big")
        yield kind, rest[3:3 + n]
        rest = rest[3 + n:]


def log_proxy(s):
    head = read_exactly(s, 16)
    rest = read_exactly(s, int.from_bytes(head[14:16], "big"))
    assert head[:13] == b"\r\n\r\n\0\r\nQUIT\n\x21", head
    fields = []
    for kind, value in tlvs(rest[12 if head[13] == 0x11 else 36:]):
        if kind == 1:
            fields.append("alpn=" + value.decode())
        elif kind == 0x20:
            fields.append("client=%d verify=%d" % struct.unpack("!BI", value[:5]))
            fields += ["%x=%s" % (k, v.decode()) for k, v in tlvs(value[5:])]
    print("proxy", *fields, flush=True)


def serve_one(s, mode, ctx):
    try:
        if mode == "silent":
            time.sleep(3600)
        if mode == "pp":
            log_proxy(s)
        if ctx:
            s = ctx.wrap_socket(s, server_side=True, suppress_ragged_eofs=False)
            print("resumed" if s.session_reused else "full", flush=True)
        if mode == "reset":
            s.recv(262144)
            if ctx:
                s = socket.socket(fileno=s.detach())
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            return
        echo(s)
    except ConnectionResetError:
        print("reset", flush=True)
    except (OSError, EOFError, AssertionError) as e:
        cut = isinstance(e, ssl.SSLEOFError) or "UNEXPECTED_EOF" in str(e)  # older Python says it so
        print("cut" if cut else "failed " + repr(e)[:200], flush=True)
    finally:
        s.close()


def server(port, mode="echo", cert="server"):
    ctx = context(True, cert) if mode in ("echo", "reset") else None
    s = socket.create_server(("127.0.0.1", int(port)), backlog=1024)
    print("listening", flush=True)
    while True:
        c = s.accept()[0]
        c.settimeout(600)  # some are idle as long as the test takes
        threading.Thread(target=serve_one, args=(c, mode, ctx), daemon=True).start()


def sink(port, when=""):
    s = socket.create_server(("127.0.0.1", int(port)), backlog=0 if when else 64)
    first = connect(("127.0.0.1", int(port))) if when else None  # the queue is full
    print("listening", flush=True)
    if when:
        sys.stdin.read()
        s.listen(64)
        s.accept()[0].close()
        first.close()
    while True:
        c = s.accept()[0]
        print(len(ends(c) or b""), "bytes", flush=True)
        c.close()


# -- clients --

def device(cert="device", most=ssl.TLSVersion.TLSv1_3, **kw):
    return context(False, cert, most=most).wrap_socket(connect(GATEWAY, **kw), server_hostname="gateway.example")


def admitted(cert="device", version="1.3"):
    s = device(cert, getattr(ssl.TLSVersion, "TLSv" + version.replace(".", "_")))
    echoes(s)
    try:
        s.unwrap()
    except ssl.SSLError as e:  # the server's "end" comes behind our close_notify
        assert "AFTER_CLOSE_NOTIFY" in str(e), e


def refused(cert="device"):
    """The handshake fails, or what comes after it is an alert or the end."""
    try:
        s = device(cert)
        s.sendall(b"x")
        assert s.recv(10) == b"", "served"
    except (ssl.SSLError, ConnectionResetError, BrokenPipeError):
        pass


def half(n):
    """So many say hello and no more, until each is ended."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    out = ssl.MemoryBIO()
    try:
        context(False, "").wrap_bio(ssl.MemoryBIO(), out, server_hostname="gateway.example").do_handshake()
    except ssl.SSLWantReadError:
        hello = out.read()
    held = []
    for _ in range(int(n)):
        held.append(connect(GATEWAY))
        held[-1].sendall(hello)
    print("held", flush=True)
    for s in held:
        ends(s)


def midway(cert="device", port="13001", name="gateway.example"):
    """As refused, but the last flight waits for the end of standard input."""
    plain = connect((GATEWAY[0], int(port)))
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    s = context(False, cert).wrap_bio(into, out, server_hostname=name)
    done = False
    while not done:
        try:
            s.do_handshake()
            done = True
        except ssl.SSLWantReadError:
            plain.sendall(out.read())
            into.write(plain.recv(65536))
    print("midway", flush=True)
    sys.stdin.read()
    try:
        s.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        plain.sendall(out.read())
        while True:
            part = plain.recv(65536)
            if not part:
                return
            into.write(part)
            try:
                assert s.read(10) == b"", "served"
            except ssl.SSLWantReadError:
                pass
    except (ssl.SSLError, ConnectionResetError, BrokenPipeError):
        pass


def garbage(text):
    s = connect(GATEWAY)
    s.sendall(bytes.fromhex(text))
    assert b"HTTP" not in (ends(s) or b""), "answered"


def dribble(least, most):
    """One byte of a ClientHello now and then: cut off in time."""
    s = connect(GATEWAY)
    began = time.monotonic()
    try:
        for byte in bytes.fromhex("1603010200010001fc0303") + bytes(500):
            s.sendall(bytes([byte]))
            time.sleep(0.25)
    except (ConnectionResetError, BrokenPipeError):
        pass
    took = time.monotonic() - began
    assert float(least) <= took <= float(most), took


def bulk(megabytes, version="1.3"):
    """Both ways at once, in one thread: a connection of ssl's is not for two."""
    s = device(most=getattr(ssl.TLSVersion, "TLSv" + version.replace(".", "_")))
    s.setblocking(False)
    data = os.urandom(1 << 20) * int(megabytes)
    sent, got, end = 0, bytearray(), time.monotonic() + 60
    while len(got) < len(data):
        assert time.monotonic() < end, f"{len(got)} of {len(data)} bytes came back"
        moved = False
        try:
            if sent < len(data):
                sent += s.send(data[sent:sent + 16384])
                moved = True
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        try:
            more = s.recv(65536)
            if not more:
                raise EOFError(len(got))
            got += more
            moved = True
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        if not moved:
            select.select([s], [s] if sent < len(data) else [], [], 0.1)
    assert got == data, "other bytes"


def half_close(mode="notify"):
    """close_notify, or only the end of the stream, one way; all the echo comes.
    early: before the server has shaken hands, a cut that must not be waited out."""
    plain = connect(GATEWAY)
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    s = context(False, "device").wrap_bio(into, out, server_hostname="gateway.example")

    def send():
        if out.pending:
            plain.sendall(out.read())

    def shake(fn):
        while True:
            try:
                r = fn()
                send()
                return r
            except ssl.SSLWantReadError:
                send()
                part = plain.recv(65536)
                into.write(part) if part else into.write_eof()
    shake(s.do_handshake)
    shake(lambda: s.write(b"y" * 5000))
    if mode == "notify":
        try:
            s.unwrap()
        except ssl.SSLWantReadError:
            pass
        send()
        # OpenSSL reads no more then; the bytes are there all the same
        got = ends(plain)
        assert got is not None and len(got) > 5003, got
    elif mode == "early":
        time.sleep(0.4)
        plain.shutdown(socket.SHUT_WR)
        try:
            while plain.recv(65536):
                pass
        except ConnectionResetError:
            pass
    else:
        plain.shutdown(socket.SHUT_WR)
        got = b""
        while len(got) < 5000:
            got += shake(lambda: s.read(65536))
        assert got[:5000] == b"y" * 5000


def resets():
    s = device()
    echoes(s)
    raw = socket.socket(fileno=s.detach())
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    raw.close()


def is_reset(cert="device"):
    s = device(cert)
    s.sendall(b"x")
    raw = socket.socket(fileno=s.detach())  # ssl makes an end of it
    raw.settimeout(20)
    assert ends(raw) is None, "no reset"


def closed_after(least, most, cert="device", alert=""):
    begun, s = time.monotonic(), device(cert)
    echoes(s)
    print("held", flush=True)
    cut_within(s, least, most, alert, begun)


def stuck(seconds):
    """Takes nothing; others are served meanwhile; it is dropped in time, which
    counts from what it took last: after it began, before its last send went."""
    s = device()
    began = moved = time.monotonic()
    s.setblocking(False)
    while time.monotonic() - moved < float(seconds) + 20:
        try:
            s.send(b"z" * 16384)
            moved = time.monotonic()
        except ssl.SSLWantWriteError:
            admitted()
            time.sleep(0.1)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLError):
            assert time.monotonic() - began >= float(seconds), "too early"
            return
    raise AssertionError("not dropped")


def hold(n, version="1.3"):
    """n connections, all echo when standard input ends."""
    all_ = [device(most=getattr(ssl.TLSVersion, "TLSv" + version.replace(".", "_"))) for _ in range(int(n))]
    for s in all_:
        echoes(s)
    print("held", flush=True)
    sys.stdin.read()
    for s in all_:
        echoes(s)
    print("well", flush=True)


def held_dies(n, least="0", most="60"):
    all_ = [device() for _ in range(int(n))]
    for s in all_:
        echoes(s)
    print("held", flush=True)
    for s in all_:
        try:
            while s.recv(100):
                pass
        except (ConnectionResetError, ssl.SSLError):
            pass
    print("gone", flush=True)


if __name__ == "__main__":
    globals()[sys.argv[2]](*sys.argv[3:])
