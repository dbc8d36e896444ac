"""lossd at the other end of a link that is slow, loses packets and is cut.

Server and clients have a network namespace each, and this program is the link between them: what one
side sends it gives to the other, later or not at all.
"""

import ctypes
import fcntl
import heapq
import http.client
import json
import os
import random
import re
import select
import socket
import struct
import subprocess
import sys
import threading
import time

SERVER, CLIENTS = "10.77.0.1", "10.77.0.2"
DELAY, LOSS = 0.1, 0.02
REQUESTS, AT_ONCE = 200, 8
GONE_SECONDS = 35.0


def namespace(address: str) -> int:
    """Moves this thread and all it starts to a new namespace, and gives the end of its link."""
    new_net, set_interface, bare_packets = 0x40000000, 0x400454CA, 0x1001
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(new_net) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    end = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(end, set_interface, struct.pack("16sH22x", b"tun0", bare_packets))
    for command in (f"addr add {address}/24 dev tun0", "link set tun0 up"):
        subprocess.run(["ip", *command.split()], check=True)
    return end


class Link:
    """Carries packets between two ends."""

    def __init__(self, ends: tuple[int, int]):
        self.ends, self.cut, self.lost = ends, set(), 0
        threading.Thread(target=self.carry, daemon=True).start()

    def carry(self):
        chance, under_way, number = random.Random(1), [], 0
        other = dict(zip(self.ends, reversed(self.ends)))
        while True:
            wait = max(0.0, under_way[0][0] - time.monotonic()) if under_way else None
            for end in select.select(self.ends, [], [], wait)[0]:
                packet, number = os.read(end, 65536), number + 1
                if packet[0] >> 4 != 4 or not self.cut.isdisjoint(ports(packet)):
                    continue
                if chance.random() < LOSS:
                    self.lost += 1
                    continue
                heapq.heappush(under_way, (time.monotonic() + DELAY, number, other[end], packet))
            while under_way and under_way[0][0] <= time.monotonic():
                _, _, end, packet = heapq.heappop(under_way)
                os.write(end, packet)


def ports(packet: bytes) -> tuple[int, int]:
    return struct.unpack_from("!HH", packet, 4 * (packet[0] & 15))


class Server:
    """A lossd of its own in the namespace of servers."""

    def __init__(self, program: str, port: int, *arguments: str):
        self.port = port
        listen = ["--listen", f"{SERVER}:{port}", "--open", "--lame-duck-seconds", "0"]
        command = [program, *listen, *arguments]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert any("listens on" in line for line in self.process.stderr)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(SERVER, self.port, timeout=30)

    def metric(self, name: str) -> int:
        connection = self.connect()
        connection.request("GET", "/metrics", headers={"connection": "close"})
        text = connection.getresponse().read().decode()
        connection.close()
        return int(re.search(rf"^{re.escape(name)} (\d+)$", text, re.MULTILINE)[1])

    def others(self) -> int:
        """How many connections there are beside the one that asks."""
        return self.metric("lossd_connections") - 1

    def hold(self, message: str, hear: int) -> int:
        """Sends bytes on a connection and hears so many of the answer; gives its port."""
        stream = socket.socket()
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stream.settimeout(30)
        stream.connect((SERVER, self.port))
        stream.sendall(message.replace("\n", "\r\n").encode())
        while hear > 0:
            hear -= len(stream.recv(hear))
        HELD.append(stream)
        return stream.getsockname()[1]


HELD: list[socket.socket] = []


def ask(server: Server, numbers: range, answers: list):
    """One request after the other on one connection, each about another number."""
    connection = server.connect()
    for number in numbers:
        body = json.dumps({"predictions": [number], "targets": [0]})
        connection.request("POST", "/loss/mse", body, {"content-type": "application/json"})
        answers.append((number, json.load(connection.getresponse()).get("loss")))
    connection.close()


def lossy(server: Server, link: Link):
    started, answers, each = time.monotonic(), [], REQUESTS // AT_ONCE
    shares = [range(first, first + each) for first in range(0, REQUESTS, each)]
    clients = [threading.Thread(target=ask, args=(server, share, answers)) for share in shares]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert sorted(answers) == [(number, number**2) for number in range(REQUESTS)], answers
    evaluated = server.metric('lossd_evaluations_total{loss="mse"}')
    assert evaluated == REQUESTS, f"{evaluated} evaluations of {REQUESTS} requests"
    print(f"{REQUESTS} requests, each answered once, in {time.monotonic() - started:.1f} s "
          f"with {link.lost} packets lost")


def cut(quick: Server, patient: Server, link: Link):
    get = "GET {} HTTP/1.1\nhost: x\n\n"
    # The document is longer than what the kernels take off the server's hands.
    document, short = get.format("/openapi.json"), get.format("/healthz")
    cases = {
        quick: [
            quick.hold("POST /loss/mse HTTP/1.1\nhost: x\ncontent-length: 100\n\n{", 0),
            quick.hold(document, 1000),
            quick.hold(short, 10),
        ],
        # This one leaves it to the kernel to notice.
        patient: [patient.hold(document, 1000)],
    }
    for server, held in cases.items():
        assert server.others() == len(held), f"{server.others()} of {len(held)} are connected"
    started = time.monotonic()
    for held in cases.values():
        link.cut.update(held)
    left = {server: len(held) for server, held in cases.items()}
    while any(left.values()):
        time.sleep(0.2)
        for server, before in left.items():
            left[server] = server.others()
            if left[server] < before:
                name = "patient" if server is patient else "quick"
                print(f"{time.monotonic() - started:4.1f} s after the cut a {name} server has "
                      f"{left[server]} of {len(cases[server])} connections left")
        assert time.monotonic() - started < GONE_SECONDS, left.values()


def main():
    program = os.path.realpath(sys.argv[1])
    end = namespace(SERVER)
    servers = [
        Server(program, 8080, "--keep-alive-seconds", "20"),
        Server(program, 8081, "--write-seconds", "600"),
    ]
    try:
        link = Link((end, namespace(CLIENTS)))
        lossy(servers[0], link)
        cut(*servers, link)
    finally:
        for server in servers:
            server.process.kill()
            server.process.wait()


main()
