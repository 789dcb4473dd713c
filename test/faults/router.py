"""A network that can be made bad: hosts in network namespaces of their own, joined by this program alone.

Usage: router.py PREFIX NAME...

Each host is the namespace PREFIX-NAME with a TUN device, and every packet between two of them is read and written here.
What becomes of it depends on the link, which has a direction: `cut`, `loss` (0 to 1), `delay` (seconds). Packets of a
link keep their order.

The first line on standard output is {"hosts": {NAME: {"namespace", "address"}}}. Each line on standard input,
{"set": [{"from", "to", "cut", "loss", "delay"}]}, is answered by {"links": [{"from", "to", "passed", "dropped"}]}. When
standard input ends, which it also does when the program at its other end is killed, the processes in the namespaces are
killed and the namespaces deleted.
"""

import collections
import ctypes
import fcntl
import json
import os
import random
import selectors
import signal
import struct
import subprocess
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
CLONE_NEWNET = 0x40000000
MAX_PACKET = 65_536


class Host:
    def __init__(self, name, namespace, number):
        self.name = name
        self.namespace = namespace
        self.address = f"10.77.0.{number}"
        self.tun = None

    def open(self, home):
        with open(f"/run/netns/{self.namespace}") as namespace:
            enter(namespace)
            try:
                self.tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
                fcntl.ioctl(self.tun, TUNSETIFF, struct.pack("16sH22x", b"tun0", IFF_TUN | IFF_NO_PI))
            finally:
                enter(home)
        ip("-n", self.namespace, "link", "set", "lo", "up")
        ip("-n", self.namespace, "address", "add", f"{self.address}/24", "dev", "tun0")
        ip("-n", self.namespace, "link", "set", "tun0", "up")

    def close(self):
        for pid in ip("netns", "pids", self.namespace).split():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
        ip("netns", "delete", self.namespace)


class Link:
    def __init__(self, source, target):
        self.source = source
        self.target = target
        self.cut, self.loss, self.delay = False, 0.0, 0.0
        self.passed, self.dropped = 0, 0
        # Packets on their way, with the time at which they arrive.
        self.waiting = collections.deque()

    def take(self, packet, now):
        if self.cut or random.random() < self.loss:
            self.dropped += 1
        elif self.delay > 0 or self.waiting:
            self.waiting.append((max(now + self.delay, self.waiting[-1][0] if self.waiting else 0), packet))
        else:
            self.give(packet)

    def give_due(self, now):
        while self.waiting and self.waiting[0][0] <= now:
            self.give(self.waiting.popleft()[1])

    def give(self, packet):
        try:
            # What was on its way when the link was cut is lost too.
            if self.cut:
                raise OSError("cut")
            os.write(self.target.tun, packet)
            self.passed += 1
        except OSError:
            self.dropped += 1

    def report(self):
        return {"from": self.source.name, "to": self.target.name, "passed": self.passed, "dropped": self.dropped}


class Router:
    def __init__(self, hosts):
        self.links = {(a.name, b.name): Link(a, b) for a in hosts for b in hosts if a is not b}
        self.by_address = {
            (link.source.name, bytes(map(int, link.target.address.split(".")))): link for link in self.links.values()
        }
        self.selector = selectors.DefaultSelector()
        for host in hosts:
            self.selector.register(host.tun, selectors.EVENT_READ, host)
        self.selector.register(0, selectors.EVENT_READ, None)
        self.unread = b""

    def run(self):
        while True:
            now = time.monotonic()
            due = [link.waiting[0][0] for link in self.links.values() if link.waiting]
            ready = self.selector.select(max(0, min(due) - now) if due else None)
            now = time.monotonic()
            for link in self.links.values():
                link.give_due(now)
            for key, _ in ready:
                if key.data is not None:
                    self.forward(key.data, now)
                elif not self.obey():
                    return

    def forward(self, host, now):
        for _ in range(64):
            try:
                packet = os.read(host.tun, MAX_PACKET)
            except BlockingIOError:
                return
            # What is no IPv4 packet to another host (neighbour discovery of IPv6) is nobody's.
            link = self.by_address.get((host.name, packet[16:20])) if packet[0] >> 4 == 4 else None
            if link is not None:
                link.take(packet, now)

    def obey(self):
        chunk = os.read(0, MAX_PACKET)
        *lines, self.unread = (self.unread + chunk).split(b"\n")
        for line in lines:
            for change in json.loads(line)["set"]:
                link = self.links[change["from"], change["to"]]
                link.cut, link.loss, link.delay = change["cut"], change["loss"], change["delay"]
            say({"links": [link.report() for link in self.links.values()]})
        return chunk != b""


def ip(*arguments):
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


libc = ctypes.CDLL(None, use_errno=True)


def enter(namespace):
    if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def say(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main(prefix, names):
    # Ctrl-C on a terminal reaches this program too: whoever started it says when to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    hosts = [Host(name, f"{prefix}-{name}", number) for number, name in enumerate(names, 1)]
    opened = []
    try:
        with open("/proc/self/ns/net") as home:
            for host in hosts:
                ip("netns", "add", host.namespace)
                opened.append(host)
                host.open(home)
        say({"hosts": {host.name: {"namespace": host.namespace, "address": host.address} for host in hosts}})
        Router(hosts).run()
    finally:
        for host in opened:
            host.close()


try:
    main(sys.argv[1], sys.argv[2:])
except OSError as error:
    sys.exit(str(error))
