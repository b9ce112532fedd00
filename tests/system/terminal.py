#!/usr/bin/python3
"""Runs a command on a terminal of its own and says how it left it.

usage: terminal.py ROWSxCOLUMNS STEP... -- COMMAND...
Steps, in order: seconds to wait (1.5), frames:2 (until so many more are whole),
key:q, signal:INT, stopped (until it is), size:10x40, hangup.
What the command wrote goes to standard output; the last line is JSON: "status"
(negative: the signal that killed it), "restored" (the terminal's modes are as
before), "frames" (lists of lines, escapes taken out).
SPDX-License-Identifier: ISC
"""
import fcntl, json, os, pty, re, select, signal, struct, subprocess, sys, termios, time


FRAME_END = b"\x1b[J"


def main():
    args = sys.argv[1:]
    cut = args.index("--")
    steps, command = args[1:cut], args[cut + 1:]
    master, slave = pty.openpty()

    def size(text):
        rows, columns = map(int, text.split("x"))
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    size(args[0])
    before = termios.tcgetattr(slave)
    child = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, close_fds=True,
                             preexec_fn=lambda: (os.setsid(), fcntl.ioctl(0, termios.TIOCSCTTY, 0)))
    out = b""

    def read_for(seconds):
        nonlocal out
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and master >= 0:
            if select.select([master], [], [], min(left, 0.05))[0]:
                out += os.read(master, 65536)
            if child.poll() is not None and not select.select([master], [], [], 0)[0]:
                return

    def until(what, holds):
        end = time.monotonic() + 30
        while not holds():
            if time.monotonic() > end or child.poll() is not None:
                sys.exit(f"{what}: not within 30 s: {out!r}")
            read_for(0.02)

    def is_stopped():
        with open(f"/proc/{child.pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "T"

    for step in steps:
        what, _, value = step.partition(":")
        if what == "key":
            os.write(master, value.encode())
        elif what == "signal":
            child.send_signal(getattr(signal, "SIG" + value))
        elif what == "size":
            size(value)
        elif what == "frames":
            seen = out.count(FRAME_END) + int(value)
            until(step, lambda: out.count(FRAME_END) >= seen)
        elif what == "stopped":
            until(step, is_stopped)
        elif what == "hangup":
            os.close(slave)
            os.close(master)
            master = -1
        else:
            read_for(float(what))
    if master >= 0:
        read_for(20)
    try:
        status = child.wait(20)
    except subprocess.TimeoutExpired:
        child.kill()
        status = "it did not end"
    restored = None
    if master >= 0:
        restored = termios.tcgetattr(slave) == before
    sys.stdout.buffer.write(out)
    text = out.decode("utf-8", "replace")
    frames = [[re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", line) for line in frame.split("\r\n")]
              for frame in text.split("\x1b[H")[1:]]
    print("\n" + json.dumps({"status": status, "restored": restored, "frames": frames}))


main()
