"""An engine that misbehaves: `bad_engine.py PROTOCOL WHAT [AT]`, at a command that begins with AT.

Before that it answers as an engine would, without knowing any rules.
"""

import os
import signal
import subprocess
import sys
import time

PROTOCOL, WHAT = sys.argv[1:3]
AT = sys.argv[3] if len(sys.argv) > 3 else {"gtp": "genmove", "nboard": "go"}[PROTOCOL]
MOVE = "= {}\n" if PROTOCOL == "gtp" else "=== {}"


def say(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def misbehave():
    if WHAT == "hang":
        time.sleep(1000)
    elif WHAT == "die":
        sys.stderr.write("first line\nsegment 7 is on fire\n")
        sys.exit(3)
    elif WHAT == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif WHAT == "mute":  # it goes on living without its output
        os.close(1)
        time.sleep(1000)
    elif WHAT == "garbage":
        while True:
            say("\x00\xfe lorem ipsum")
    elif WHAT == "endless":
        while True:
            sys.stdout.write("x" * 5000)
    elif WHAT == "half":
        sys.stdout.write("= d" if PROTOCOL == "gtp" else "=== d")
        sys.stdout.flush()
        time.sleep(1000)
    elif WHAT == "noisy":  # more than a pipe holds
        sys.stderr.write("complaint\n" * 100_000)
        sys.stderr.flush()
        say(MOVE.format("a1"))
    elif WHAT == "refuse":
        say("? I would rather not\n")
    elif WHAT == "family":
        subprocess.Popen(["/bin/sleep", os.environ["LUDUS_TEST_SLEEP"]])
        time.sleep(1000)
    else:  # a move, whatever it is
        say(MOVE.format(WHAT))


if WHAT == "stubborn":  # nothing but force ends it
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    AT = "never"
for line in sys.stdin:
    if line.startswith(AT):
        misbehave()
    elif PROTOCOL == "gtp":
        say({"protocol_version": "= 2\n"}.get(line.strip(), "= \n"))
    elif line.startswith("ping"):
        say(f"pong {line.split()[1]}")
if WHAT == "stubborn":
    time.sleep(1000)
