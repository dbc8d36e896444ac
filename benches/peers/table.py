"""Rounds of measuring, the table of their results, and the machine that they are from."""

import os
import platform
import re
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

HEAD = ["case", "ours", "peer", "ratio", "limit", "share of limit"]


def rounds(contenders, count):
    """Lets the contenders take turns, and gives the median of each one's figures.

    A contender is a function that gives its figures by name. A figure is none where there is
    nothing to measure, such as a loss that a library lacks."""
    results = {name: [] for name in contenders}
    for _ in range(count):
        for name, measure in contenders.items():
            results[name].append(measure())
    return {
        name: {key: median([figures[key] for figures in of_one]) for key in of_one[0]}
        for name, of_one in results.items()
    }


def median(figures):
    known = [figure for figure in figures if figure is not None]
    return statistics.median(known) if known else None


@dataclass
class Row:
    """A case: our figure, those of the peers by name, and the limit as a name and a figure."""

    case: str
    ours: float | None
    peers: dict[str, float | None]
    limit: tuple[str, float | None] | None = None
    more_is_better: bool = False

    def ahead_of(self, other):
        """How many times as good as another figure ours is; none where that says nothing."""
        if not self.ours or not other:
            return None
        return self.ours / other if self.more_is_better else other / self.ours

    def cells(self):
        peers = {name: figure for name, figure in self.peers.items() if figure is not None}
        ratios = filter(None, map(self.ahead_of, peers.values()))
        name, figure = self.limit or ("", None)
        share = self.ahead_of(figure)
        cells = [
            self.case,
            shown(self.ours),
            ", ".join(f"{name} {shown(figure)}" for name, figure in peers.items()),
            ", ".join(f"{shown(ratio)}x" for ratio in ratios),
            "" if figure is None else f"{name} {shown(figure)}",
            "" if share is None else f"{100 * share:.0f} %",
        ]
        return [cell or "–" for cell in cells]


def shown(figure):
    """A figure with three digits that count."""
    if figure is None:
        return "–"
    if abs(figure) >= 100:
        return f"{figure:,.0f}"
    return f"{figure:.{2 if abs(figure) < 10 else 1}f}"


def markdown(rows):
    lines = [HEAD, ["---", *["---:"] * (len(HEAD) - 1)], *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine():
    """What the figures were measured on."""
    info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", info)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"Linux {platform.release()}"
    )


def commit(repository):
    def git(*words):
        return subprocess.run(["git", "-C", repository, *words], capture_output=True, text=True).stdout.strip()

    changed = " with changes" if git("status", "--porcelain") else ""
    return f"commit {git('rev-parse', '--short', 'HEAD') or 'unknown'}{changed}, {time.strftime('%Y-%m-%d')}"
