"""Measures lossd beside its peers, in turns, and prints a table in Markdown: see `run`."""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import orjson
import safetensors.numpy
from load import Body, Client, Server, Steady, latency, wrk
from table import Row, commit, machine, markdown, rounds

HERE = Path(__file__).resolve().parent
LOSSES = [
    # Name, length of a row (1: there are no rows), what memory can do with as many arrays.
    ("mse", 1, "triad"),
    ("l1", 1, "triad"),
    ("huber", 1, "triad"),
    ("binary_cross_entropy", 1, "triad"),
    ("binary_cross_entropy_with_logits", 1, "triad"),
    ("sigmoid_focal", 1, "triad"),
    ("kl_div", 1024, "triad"),
    ("triplet_margin", 128, "copy"),
    ("cross_entropy", 10, "copy"),
    ("cross_entropy", 1000, "copy"),
    ("cross_entropy", 32000, "copy"),
]
QUICK_LOSSES = [LOSSES[0], LOSSES[4], LOSSES[8], LOSSES[9]]
IN_CACHE, OUT_OF_CACHE = 1 << 16, 1 << 24
# The limit in the cache: the same work as a bare loop, see limits.c.
LOOP = "C loop"
LIBRARIES = ["torch", "compile", "jax", "numpy"]
PEERS = ["1 worker", "2 workers"]
SIDE = 1000
JSON, SAFETENSORS = "application/json", "application/vnd.safetensors"


def note(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


class Program:
    """A program that answers each line with a figure."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def ask(self, *request):
        line = " ".join(map(str, request))
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if not answer:
            raise SystemExit(f"{self.process.args}: no answer to `{line}`")
        return {"ns": None if answer == "-" else float(answer)}


# Kernels


@contextmanager
def kernel_programs(options, threads):
    """Our kernels, what memory and bare loops can do, and the libraries; one thread has the same
    core for all."""
    core = ["taskset", "-c", str(max(os.sched_getaffinity(0)))] if threads == 1 else []
    ours = [*core, options.programs / "examples/kernels"]
    theirs = [*core, sys.executable, HERE / "peer_kernels.py", str(threads)]
    with Program(*ours) as kernels, Program(*ours) as memory, Program(*theirs) as libraries:
        with Program(*core, options.programs / "limits") as loops:
            yield kernels, memory, loops, libraries


def kernel(options, programs, names, loss, elements, row, threads, limit=None):
    """The row of one loss, beside the libraries of these names."""
    note(f"kernel {loss} {elements} {row} {threads}")
    kernels, memory, loops, libraries = programs
    case = (loss, elements, row, threads)
    contenders = {"ours": partial(kernels.ask, *case)}
    contenders |= {name: partial(libraries.ask, name, *case) for name in names}
    if limit == LOOP:
        contenders["limit"] = partial(loops.ask, *case)
    elif limit:
        contenders["limit"] = partial(memory.ask, limit, elements, 1, threads)
    found = rounds(contenders, 3 if options.quick else 5)
    figures = {name: figures["ns"] for name, figures in found.items()}
    size = f"{elements:,} element{'s' if elements > 1 else ''}"
    size += f" in rows of {row:,}" if row > 1 else ""
    measure = "1 core" if threads == 1 else f"{threads} cores"
    return Row(
        f"{loss}, {size}, {measure}, ns/element",
        figures["ours"],
        {name: figures[name] for name in names},
        (limit, figures["limit"]) if limit else None,
    )


def kernels(options):
    for threads in [1] if options.quick else [1, 2]:
        with kernel_programs(options, threads) as programs:
            for elements in [IN_CACHE, OUT_OF_CACHE]:
                for loss, row, limit in QUICK_LOSSES if options.quick else LOSSES:
                    limit = limit if elements == OUT_OF_CACHE else LOOP
                    yield kernel(options, programs, LIBRARIES, loss, elements, row, threads, limit)


# JSON


def pair(shape, scale=1.0):
    """Predictions and targets."""
    rng = np.random.default_rng(1)
    names = ["predictions", "targets"]
    return {name: rng.standard_normal(shape, dtype=np.float32) * np.float32(scale) for name in names}


def shortest(arrays):
    """A request whose numbers have only the digits that tell one float32 from the next."""
    return orjson.dumps(arrays, option=orjson.OPT_SERIALIZE_NUMPY)


def as_python_sends(arrays):
    """A request as `json.dumps` writes lists: 17 digits, and a space after each comma."""
    return json.dumps({name: array.tolist() for name, array in arrays.items()}).encode()


def orjson_in(body):
    start = time.thread_time_ns()
    request = orjson.loads(body)
    arrays = [np.asarray(numbers, np.float32) for numbers in request.values()]
    numbers = sum(array.size for array in arrays)
    del request, arrays
    return {"ns": (time.thread_time_ns() - start) / numbers}


def orjson_out(gradient):
    start = time.thread_time_ns()
    shortest({"loss": 1.0, "gradient": gradient})
    return {"ns": (time.thread_time_ns() - start) / gradient.size}


def json_in_and_out(options):
    square = (SIDE, SIDE)
    bodies = {
        "short-nested": shortest(pair(square)),
        "short-flat": shortest(pair(SIDE * SIDE)),
        "py17-nested-sp": as_python_sends(pair(square)),
        "grad-nested": shortest(pair(square, 1e-6)),
    }
    printed = {"short-nested": pair(square), "grad-nested": pair(square, 1e-6)}
    with Program(options.programs / "examples/json") as program:
        for name, body in bodies.items():
            file = Path(options.folder, name)
            file.write_bytes(body)
            python = {"in": partial(orjson_in, body)}
            if name in printed:
                python["out"] = partial(orjson_out, printed[name]["predictions"])
            for direction, measure in python.items():
                note(f"json {direction} {name}")
                contenders = {
                    "ours": partial(program.ask, direction, "ours", file),
                    "serde_json": partial(program.ask, direction, "serde_json", file),
                    "orjson + numpy": measure,
                }
                found = rounds(contenders, 3 if options.quick else 7)
                figures = {name: figures["ns"] for name, figures in found.items()}
                yield Row(f"JSON {direction}, {name}, 1 core, ns/number", figures.pop("ours"), figures)


# HTTP


def commands(options):
    """The servers by name: command, paths of their routes, environment."""

    def lossd(address):
        return [options.programs / "lossd", "--listen", "{}:{}".format(*address)]

    def echo(address):
        return [options.programs / "examples/echo", "{}:{}".format(*address)]

    def uvicorn(workers, address):
        host, port = address
        return [
            *[sys.executable, "-m", "uvicorn", f"{options.peer.stem}:app", "--app-dir", options.peer.parent],
            *["--host", host, "--port", str(port), "--workers", str(workers)],
            *["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"],
        ]

    ours = {JSON: "/loss/mse", SAFETENSORS: "/loss/mse"}
    theirs = {JSON: "/loss/mse", SAFETENSORS: "/loss-bin/mse"}
    threads = {"PEER_THREADS": "1"}
    return {
        "ours": (lossd, ours, {}),
        "echo": (echo, ours, {}),
        "1 worker": (partial(uvicorn, 1), theirs, {}),
        "2 workers": (partial(uvicorn, 2), theirs, threads),
    }


def small_body():
    arrays = {name: [round(x, 6) for x in array.tolist()] for name, array in pair(8).items()}
    return Body(orjson.dumps(arrays), JSON)


@contextmanager
def servers(options, names):
    with ExitStack() as stack:
        running = {}
        for name in names:
            note(f"start {name}")
            server = stack.enter_context(Server(name, *commands(options)[name], options.folder))
            server.first_answer(server.request(small_body()))
            running[name] = server
        check(running)
        yield running


def check(running):
    """All servers must find the same loss."""
    found = {}
    for name, server in running.items():
        with Client(server.address) as client:
            answer = orjson.loads(b"".join(client.ask(server.request(small_body()))))
        if name != "echo":
            found[name] = answer["loss"]
    if not np.allclose(list(found.values()), next(iter(found.values())), rtol=1e-5):
        raise SystemExit(f"the servers do not agree: {found}")


def in_turns(running, measure, count):
    """Measures every server, in turns; the figures of each by name."""
    return rounds({name: partial(measure, server) for name, server in running.items()}, count)


def compared(case, found, key, limit="echo", **named):
    """The row of one figure of all servers."""
    figures = {name: figures[key] for name, figures in found.items()}
    peers = {name: figures[name] for name in PEERS if name in figures}
    return Row(case, figures["ours"], peers, (limit, figures[limit]), **named)


def http(options):
    count = 2 if options.quick else 5
    seconds = 2 if options.quick else 4
    arrays = pair((SIDE, SIDE))
    small, large = small_body(), Body(shortest(arrays), JSON)
    with servers(options, ["ours", "echo", *PEERS]) as running:
        yield from small_requests(options, running, small, 32, seconds, count)

        bodies = {
            "JSON": large,
            "JSON as Python sends it": Body(as_python_sends(arrays), JSON),
            "safetensors": Body(safetensors.numpy.save(arrays), SAFETENSORS),
        }
        for kind, body in bodies.items():
            note(f"large requests, {kind}")
            found = in_turns(running, lambda server, body=body: latency(server, body, 5), count)
            megabytes = len(body.bytes) / 1e6
            yield compared(f"mse, {megabytes:.1f} MB of {kind}, one client, ms", found, "ms")

        for clients in [2, 8] if options.quick else [2, 4, 8]:
            yield from together(options, running, large, clients)
        yield from mixed(options, running, small, large, max(seconds, 3), count)


def small_requests(options, running, body, connections, seconds, count):
    """A load of small requests. Refusals have a row only where there are any."""
    note(f"small requests on {connections} connections")
    found = in_turns(running, lambda server: wrk(server, body, connections, seconds, options.folder), count)
    case = f"mse, {len(body.bytes)} bytes of JSON, {connections:,} connection{'s' if connections > 1 else ''}"
    yield compared(f"{case}, answers/s", found, "rate", more_is_better=True)
    yield compared(f"{case}, p99 in ms", found, "p99")
    if any(figures["refused"] for figures in found.values()):
        yield compared(f"{case}, refused in %", found, "refused")


def together(options, running, body, clients):
    """Some clients with large bodies at once: throughput, and the memory that it takes."""
    note(f"{clients} clients with large bodies")

    def measure(server):
        server.forget_peak()
        steady = Steady(server, body, clients)
        time.sleep(3 if options.quick else 6)
        return {"rate": steady.stop(), "peak": server.memory("VmHWM")}

    found = in_turns(running, measure, 1 if options.quick else 3)
    time.sleep(15)
    for name, server in running.items():
        found[name]["after"] = server.memory("VmRSS")
    case = f"mse, {len(body.bytes) / 1e6:.1f} MB of JSON, {clients} clients"
    yield compared(f"{case}, answers/s", found, "rate", more_is_better=True)
    yield compared(f"{case}, peak of memory in MB", found, "peak")
    yield compared(f"{case}, memory in MB 15 s later", found, "after")


def mixed(options, running, small, large, seconds, count):
    """Small requests beside two clients with large bodies."""
    note("small requests beside large ones")

    def alone(server):
        return wrk(server, small, 8, seconds, options.folder)

    def beside(server):
        steady = Steady(server, large, 2)
        figures = wrk(server, small, 8, seconds, options.folder)
        return {**figures, "large": steady.stop()}

    loads = {name: partial(beside, running[name]) for name in ["ours", *PEERS]}
    found = rounds({**loads, "ours alone": partial(alone, running["ours"])}, count)
    found["ours alone"]["large"] = None
    case = "8 connections with small bodies beside 2 clients with large ones"
    yield compared(f"{case}, small answers/s", found, "rate", "ours alone", more_is_better=True)
    yield compared(f"{case}, p99 of small ones in ms", found, "p99", "ours alone")
    yield compared(f"{case}, large answers/s", found, "large", "ours alone", more_is_better=True)


# Memory and start


def memory(options):
    note("starts")

    def start(name):
        with Server(name, *commands(options)[name], options.folder) as server:
            took = server.first_answer(server.request(small_body()))
            time.sleep(1)
            return {"ms": took, "idle": server.memory("VmRSS")}

    names = ["ours", "echo", *PEERS]
    found = rounds({name: partial(start, name) for name in names}, 2 if options.quick else 5)
    yield compared("from start to first answer, ms", found, "ms")
    yield compared("memory after one small request, MB", found, "idle")


# Growth


def growth(options):
    with kernel_programs(options, 1) as programs:
        for power in range(0, 7 if options.quick else 9):
            yield kernel(options, programs, ["torch", "numpy"], "mse", 10**power, 1, 1)
        for classes in [2, 10, 100, 1_000, 10_000, 100_000]:
            yield kernel(options, programs, ["torch", "numpy"], "cross_entropy", 1_000_000, classes, 1)
    small, seconds = small_body(), 2 if options.quick else 4
    with servers(options, ["ours", "echo", *PEERS]) as running:
        for connections in [1, 10, 32, 100, 316, 1000]:
            yield from small_requests(options, running, small, connections, seconds, 1 if options.quick else 3)


SECTIONS = {"kernels": kernels, "json": json_in_and_out, "http": http, "memory": memory}


def main():
    parser = argparse.ArgumentParser(prog="benches/peers/run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer cases and shorter rounds")
    parser.add_argument("--only", choices=[*SECTIONS, "growth"], help="one part; growth is only measured so")
    parser.add_argument("--peer", type=Path, default=HERE / "app.py", help="another Python service")
    parser.add_argument("--programs", type=Path, required=True, help="the folder of the release build")
    options = parser.parse_args()
    options.peer, options.programs = options.peer.resolve(), options.programs.resolve()
    # Asked to end, it ends its servers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    sections = [SECTIONS[options.only]] if options.only in SECTIONS else SECTIONS.values()
    if options.only == "growth":
        sections = [growth]
    with tempfile.TemporaryDirectory() as options.folder:
        rows = [row for section in sections for row in section(options)]
    packages = ["torch", "jax", "numpy", "orjson", "fastapi", "uvicorn"]
    print(markdown(rows))
    print(f"\n{machine()}; {', '.join(f'{name} {version(name)}' for name in packages)};")
    print(f"{commit(HERE)}.")


if __name__ == "__main__":
    main()
