"""Servers to measure, and the loads that they are put under."""

import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

STARTS_IN_SECONDS = 120


class Refused(Exception):
    """A server that answers, but not with 200."""


class Server:
    """A running server, with the processes that it starts.

    `command` makes its command line from an address, `paths` says where it takes which format."""

    def __init__(self, name, command, paths, environment, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = free.getsockname()
        self.name, self.paths, self.log = name, paths, Path(folder, f"{name}.log")
        environment = {**os.environ, **environment}
        self.began = time.perf_counter()
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command(self.address), stdout=log, stderr=log, env=environment, start_new_session=True
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def first_answer(self, request):
        """Waits for the first answer, and gives the milliseconds since the start."""
        while True:
            try:
                with Client(self.address, room=1) as client:
                    client.ask(request)
                return (time.perf_counter() - self.began) * 1e3
            except OSError:
                passed = time.perf_counter() - self.began
                if self.process.poll() is not None or passed > STARTS_IN_SECONDS:
                    raise SystemExit(f"{self.name} does not answer:\n{self.log.read_text()}") from None
                time.sleep(0.0005)

    def processes(self):
        """The server's process and all below it."""
        found = [self.process.pid]
        for pid in found:
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                found.extend(map(int, children.read_text().split()))
        return found

    def memory(self, field):
        """A field of /proc/PID/status in MB, summed over the processes."""
        total = 0
        for pid in self.processes():
            status = Path(f"/proc/{pid}/status").read_text()
            total += int(re.search(rf"{field}:\s+(\d+) kB", status)[1])
        return total / 1024

    def forget_peak(self):
        for pid in self.processes():
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def request(self, body):
        """A request with this body, in full."""
        head = (
            f"POST {self.paths[body.media_type]} HTTP/1.1\r\nhost: {self.address[0]}\r\n"
            f"content-type: {body.media_type}\r\ncontent-length: {len(body.bytes)}\r\n\r\n"
        )
        return head.encode() + body.bytes


class Body:
    """A body in a format."""

    def __init__(self, data, media_type="application/json"):
        self.bytes, self.media_type = data, media_type


class Client:
    """A connection that does nothing but send bytes and receive answers to their end.

    `room` is for the largest answer, in MiB."""

    def __init__(self, address, room=64):
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.room = bytearray(room << 20)
        self.view, self.filled = memoryview(self.room), 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, request):
        """Sends a request and gives the body of its answer, in pieces of the receiving buffer."""
        self.socket.sendall(request)
        self.filled = 0
        begin = self.find(b"\r\n\r\n", 0) + 4
        head = self.room[:begin].lower()
        length = re.search(rb"\r\ncontent-length: *(\d+)", head)
        if length:
            end = begin + int(length[1])
            self.fill(end)
            pieces = [self.view[begin:end]]
        else:
            pieces = list(self.chunks(begin))
        if head[9:12] != b"200":
            raise Refused(b"".join(pieces)[:500].decode())
        return pieces

    def chunks(self, begin):
        while True:
            line_end = self.find(b"\r\n", begin)
            size = int(self.room[begin:line_end].split(b";")[0], 16)
            begin = line_end + 2
            self.fill(begin + size + 2)
            if size == 0:
                return
            yield self.view[begin : begin + size]
            begin += size + 2

    def find(self, mark, start):
        while (found := self.room.find(mark, start, self.filled)) < 0:
            self.fill(self.filled + 1)
        return found

    def fill(self, end):
        while self.filled < end:
            received = self.socket.recv_into(self.view[self.filled :])
            if received == 0:
                raise ConnectionError("the server closed the connection")
            self.filled += received


def latency(server, body, times):
    """The median milliseconds of some requests on one connection; none if they are refused."""
    request = server.request(body)
    took = []
    with Client(server.address) as client:
        try:
            client.ask(request)
        except (Refused, ConnectionError) as refused:
            print(f"{server.name} refuses {body.media_type}: {refused}", file=sys.stderr)
            return {"ms": None}
        for _ in range(times):
            start = time.perf_counter()
            client.ask(request)
            took.append((time.perf_counter() - start) * 1e3)
    return {"ms": statistics.median(took)}


class Steady:
    """Clients that send the same request again and again until they are stopped."""

    def __init__(self, server, body, clients):
        self.answered = []
        self.stopping = threading.Event()
        request = server.request(body)
        clients = [Client(server.address) for _ in range(clients)]
        self.threads = [threading.Thread(target=self.run, args=(client, request)) for client in clients]
        self.began = time.perf_counter()
        for thread in self.threads:
            thread.start()

    def run(self, client, request):
        answered = 0
        with client:
            while not self.stopping.is_set():
                client.ask(request)
                answered += 1
        self.answered.append(answered)

    def stop(self):
        """Stops, and gives the requests per second."""
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        return sum(self.answered) / (time.perf_counter() - self.began)


def wrk(server, body, connections, seconds, folder):
    """A load of small requests: answers per second, the 99th percentile of their time in
    milliseconds, and how many in a hundred were refused; those do not count as answers."""
    script = Path(folder, "request.lua")
    script.write_text(
        f'wrk.method = "POST"\nwrk.headers["content-type"] = "{body.media_type}"\n'
        f"wrk.body = [==[{body.bytes.decode()}]==]\n"
    )
    host, port = server.address
    url = f"http://{host}:{port}{server.paths[body.media_type]}"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), url]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s|m)\b", text).groups()
    all_of_them = int(re.search(r"(\d+) requests in", text)[1])
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    refused = int(refused[1]) / all_of_them if refused else 0.0
    return {
        "rate": float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]) * (1 - refused),
        "p99": float(number) * {"us": 1e-3, "ms": 1, "s": 1e3, "m": 6e4}[unit],
        "refused": 100 * refused,
    }
