"""Loads lossd beyond what it can do, and prints what it promises beside what it kept."""

import asyncio
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time

JOB_ROWS = 512
FLOOD_SECONDS = 5.0


def job() -> bytes:
    """A batch of some ten milliseconds of work in a short body."""
    draw = random.Random(1)
    view = [[round(draw.uniform(-1, 1), 4) for _ in range(4)] for _ in range(JOB_ROWS)]
    return json.dumps({"input1": view, "input2": view}).encode()


def large() -> bytes:
    """A batch whose answer is some megabytes."""
    draw = random.Random(2)
    numbers = [round(draw.uniform(-1, 1), 6) for _ in range(1 << 20)]
    return json.dumps({"predictions": numbers, "targets": numbers[::-1]}).encode()


JOB = job()


def request(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nhost: load\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Server:
    """A server of its own, which ends with the block that uses it."""

    def __init__(self, program: str, *arguments: str):
        command = [program, "--listen", "127.0.0.1:0", "--log-format", "json", *arguments]
        self.started = time.monotonic()
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        line = json.loads(self.process.stderr.readline())["message"]
        self.port = int(re.search(r"http://[\d.]+:(\d+)", line)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def memory(self, what: str) -> float:
        """A figure of the process's memory in MiB."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(rf"{what}:\s+(\d+)", status.read())[1]) / 1024


class Client:
    """A connection that is opened again when the server closes it."""

    def __init__(self, port: int):
        self.port, self.streams = port, None

    async def post(self, message: bytes) -> tuple[int, float]:
        """The status of the answer and the seconds until all of it is there; 0 for no answer."""
        started = time.monotonic()
        try:
            if self.streams is None:
                self.streams = await asyncio.open_connection("127.0.0.1", self.port)
            reader, writer = self.streams
            writer.write(message)
            head = await reader.readuntil(b"\r\n\r\n")
            status = int(head[9:12])
            length = re.search(rb"content-length: (\d+)", head)
            if length:
                await reader.readexactly(int(length[1]))
            else:
                while size := int(await reader.readline(), 16):
                    await reader.readexactly(size + 2)
                await reader.readline()
            if b"connection: close" in head:
                self.close()
        except (OSError, asyncio.IncompleteReadError):
            self.close()
            status = 0
        return status, time.monotonic() - started

    def close(self):
        if self.streams is not None:
            self.streams[1].close()
            self.streams = None


def quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


async def closed(port: int, clients: int, seconds: float) -> list[tuple[int, float]]:
    """Clients that each send one request after the other."""
    end, answers = time.monotonic() + seconds, []

    async def one():
        client = Client(port)
        while time.monotonic() < end:
            answers.append(await client.post(request("/loss/info_nce", JOB)))
        client.close()

    await asyncio.gather(*(one() for _ in range(clients)))
    return answers


async def opened(port: int, rate: float, seconds: float) -> list[tuple[int, float]]:
    """Requests at a rate that does not wait for answers."""
    idle, answers, tasks = [], [], []
    message = request("/loss/info_nce", JOB)

    async def one():
        client = idle.pop() if idle else Client(port)
        answers.append(await client.post(message))
        idle.append(client)

    started = time.monotonic()
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, started + number / rate - time.monotonic()))
        tasks.append(asyncio.create_task(one()))
    await asyncio.gather(*tasks)
    for client in idle:
        client.close()
    return answers


ROWS: list[tuple[str, str, str]] = []


def row(promise: str, figure: str, kept: str):
    ROWS.append((promise, figure, kept))
    print(f"{promise}: {kept} [{figure}]", file=sys.stderr, flush=True)


def took(answers, status: int) -> list[float]:
    return [seconds for got, seconds in answers if got == status]


async def overload(program: str):
    with Server(program) as server:
        port = server.port
        await closed(port, 2, 1.0)
        unloaded = quantile(took(await closed(port, 1, 3.0), 200), 0.99)
        peak = len(took(await closed(port, 4, 3.0), 200)) / 3.0
        row("alone, p99 of a job", "", f"{unloaded * 1e3:.1f} ms; at most {peak:.0f} jobs/s")
        for times in (4, 8):
            answers = await opened(port, times * peak, FLOOD_SECONDS)
            accepted, refused = took(answers, 200), took(answers, 503)
            other = len(answers) - len(accepted) - len(refused)
            name = f"{times} times as many as it can do"
            p99 = quantile(accepted, 0.99)
            row(f"{name}: p99 of the accepted", "2 x alone", f"{p99 / unloaded:.1f} x alone")
            share = len(accepted) / FLOOD_SECONDS / peak
            row(f"{name}: goodput", "80 % of peak", f"{share * 100:.0f} %")
            row(f"{name}: p99 of refusals", "50 ms", f"{quantile(refused, 0.99) * 1e3:.1f} ms")
            row(f"{name}: neither answered nor refused", "0", f"{other} of {len(answers)}")
        await asyncio.sleep(2.0)
        after = quantile(took(await closed(port, 1, 2.0), 200), 0.99)
        row("p99 two seconds later", "1 x alone", f"{after / unloaded:.1f} x alone")


def hold(port: int, message: bytes) -> socket.socket:
    """A connection that sends and never reads."""
    stream = socket.socket()
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stream.connect(("127.0.0.1", port))
    try:
        stream.sendall(message)
    except OSError:
        pass
    return stream


def memory(program: str):
    budget = 256
    with Server(program, "--memory-bytes-max", str(budget << 20), "--write-seconds", "2") as server:
        before = server.memory("VmRSS")
        message = request("/loss/mse?outputs=losses,gradients", large())
        held = [hold(server.port, message) for _ in range(24)]
        held += [hold(server.port, message[:200]) for _ in range(100)]
        time.sleep(2.0)
        peak = server.memory("VmHWM") - before
        row("memory with 24 slow readers and 100 half bodies", f"{budget} + 64 MiB", f"{peak:.0f} MiB")
        time.sleep(16.0)
        after = server.memory("VmRSS") - before
        row("memory 16 s later", "32 MiB more than before", f"{after:.0f} MiB")
        for stream in held:
            stream.close()


async def restarts(program: str):
    lost = answered = 0
    slowest = ready = 0.0
    for _ in range(20):
        with Server(program, "--lame-duck-seconds", "0.5", "--drain-seconds", "5") as server:
            ready = max(ready, time.monotonic() - server.started)
            load = asyncio.create_task(closed(server.port, 4, 0.4))
            await asyncio.sleep(0.2)
            half = socket.create_connection(("127.0.0.1", server.port))
            half.sendall(request("/loss/mse", b"{}")[:-1])
            server.process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            answers = await load
            answered += len(took(answers, 200))
            lost += len(answers) - len(took(answers, 200)) - len(took(answers, 503))
            while server.process.poll() is None and time.monotonic() - began < 20:
                await asyncio.sleep(0.01)
            slowest = max(slowest, time.monotonic() - began)
            half.close()
    row("20 times SIGTERM under load: lost", "0", f"{lost} of {answered}")
    row("20 times SIGTERM under load: slowest end", "0.5 + 5 + 1 s", f"{slowest:.1f} s")
    row("from start to ready, slowest of 20", "200 ms", f"{ready * 1e3:.0f} ms")


def main():
    program = sys.argv[1]
    os.environ["LOSSD_LAME_DUCK_SECONDS"] = "0"
    asyncio.run(overload(program))
    memory(program)
    asyncio.run(restarts(program))
    print("| what | promised | kept |\n| --- | ---: | ---: |")
    for cells in ROWS:
        print(f"| {' | '.join(cells)} |")


main()
