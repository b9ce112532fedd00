#!/usr/bin/python3
"""tests/system/reports.py - a server that devices' reports are forwarded to.

usage: reports.py PORT CERT KEY CLIENT-CA MODE LOG [BODIES]

Every whole request is a line in LOG: "STATUS DEVICE SEQUENCE SHA256 MS", the hash of the body
and the time, of a clock that does not leap. MODE is a file, read at each request: "ok"; a status such as "500", or "503 retry-after=2";
"hang" (no answer, not taken); "cut" (taken, and the connection ends without an
answer: STATUS is "cut"); "422 DEVICE..." answers only these devices so, others ok.
Bodies that are taken are kept as BODIES/DEVICE.SEQUENCE.
SPDX-License-Identifier: ISC
"""
import hashlib
import http.server
import os
import socket
import ssl
import sys
import threading
import time

port, cert, key, ca, mode_file, log_file = sys.argv[1:7]
bodies = sys.argv[7] if len(sys.argv) > 7 else None
log = open(log_file, "a", buffering=1)
lock = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:  # its sender died in the middle: nothing was received
            self.close_connection = True
            return
        device, sequence = self.path.split("/")[-2:]
        words = open(mode_file).read().split()
        what = words[0]
        if len(words) > 1 and "=" not in words[1] and device not in words[1:]:
            what = "ok"
        if not self.path.startswith("/in/"):
            what = "404"
        status = "201" if what == "ok" else what
        with lock:
            if bodies and status == "201":
                name = "%s.%s" % (device, sequence)
                with open(os.path.join(bodies, "." + name), "wb") as f:
                    f.write(body)
                os.replace(f.name, os.path.join(bodies, name))  # whole for whoever reads it
            log.write("%s %s %s %s %d\n" % (status, device, sequence, hashlib.sha256(body).hexdigest(), time.monotonic_ns() // 1000000))
        if what == "hang":
            time.sleep(3600)
        if what == "cut":
            self.connection.unwrap()
            self.close_connection = True
            return
        self.send_response(int(status))
        for word in words[1:]:
            if word.startswith("retry-after="):
                self.send_header("Retry-After", word.split("=")[1])
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"ok\n")

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def get_request(self):
        s, a = super().get_request()
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return context.wrap_socket(s, server_side=True, do_handshake_on_connect=False), a

    def handle_error(self, request, client_address):
        pass  # who hangs up tells us nothing


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
context.load_verify_locations(ca)
context.verify_mode = ssl.CERT_REQUIRED
Server(("127.0.0.1", int(port)), Handler).serve_forever()
