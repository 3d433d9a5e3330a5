"""What two busy programs on the same cores cost a training step and the demo.

A step is one of `supervised` on 96 color images of 16 pixels with `small_cnn`, in bursts of a second. Settings are
environments of one process each: what OpenMP does by itself (a long spin), passive waiting, one thread, and nothing,
which is what labelprop chooses. They take turns, quiet and busy; medians of the bursts in which nothing else took a
core.

    python benchmarks/busy_neighbors.py [--seconds 200] [--spins 1000,5000,20000] [--only labelprop,...]
    python benchmarks/busy_neighbors.py --demo [--turns 2]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BUSY = 2  # programs
IMAGES, PIXELS, CLASSES, BATCH, TOGETHER = 1000, 16, 10, 96, 5
BURST_S = 1.0
ALL = {"OMP_NUM_THREADS": str(os.cpu_count())}
SETTINGS = {
    "OpenMP by itself": ALL | {"GOMP_SPINCOUNT": "300000"},  # its default on Linux
    "passive waiting": ALL | {"OMP_WAIT_POLICY": "PASSIVE"},
    "one thread": {"OMP_NUM_THREADS": "1"},
    "labelprop": {},
}
CHOSEN = ("OMP_WAIT_POLICY", "OMP_NUM_THREADS", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
OTHERS = 0.15  # cores that the rest of the machine may take in a burst that counts


def train_in_bursts() -> None:
    """In a process of its own: for each line read, milliseconds a step of one burst, and its threads."""
    import labelprop  # noqa: F401 - before torch: it bounds how long threads spin
    from labelprop.core.progress import Silent
    from labelprop.core.threads import fitting_threads

    phase = small_phase()
    for number, _ in enumerate(sys.stdin):
        used = time.process_time()
        with fitting_threads(Silent()):
            import torch

            phase.epoch(0)  # so many threads are started
            began, epochs = time.perf_counter(), 0
            while time.perf_counter() - began < BURST_S:
                phase.epoch(number)
                epochs += 1
            seconds = time.perf_counter() - began
            found = {"ms": round(1000 * seconds / epochs / TOGETHER, 1), "threads": torch.get_num_threads()}
            print(json.dumps(found | {"processor": time.process_time() - used}), flush=True)


def small_phase() -> Any:
    """The phase of `supervised`, in epochs of a few steps."""
    import torch

    from labelprop.core.clock import StageClock
    from labelprop.core.types import Task
    from labelprop.data.contents import TensorContent
    from labelprop.data.views.batches import Loader
    from labelprop.data.views.preprocessing import Preprocessing
    from labelprop.data.views.views import Views
    from labelprop.models.network import ModelSpec, build
    from labelprop.training import recipes
    from labelprop.training.job import Job, Lengths, make_fabric
    from labelprop.training.phase_run import PhaseRun

    shape = (3, PIXELS, PIXELS)
    images = torch.randint(0, 256, (IMAGES, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    content = TensorContent(images, torch.uint8)
    recipe = recipes.build("supervised", {"batch_size": BATCH})
    job = Job(
        label="supervised",
        recipe=recipe,
        lengths=Lengths((10**6,), TOGETHER),
        task=Task(torch.arange(IMAGES) % CLASSES, torch.ones(IMAGES), CLASSES, seed=0),
        loader=Loader.over(content, Views(Preprocessing.measure(content), "shift+flip"), torch.device("cpu")),
        build=lambda: build(ModelSpec("small_cnn", shape, recipe.heads(CLASSES)), 0),
        fabric=make_fabric(torch.device("cpu"), deterministic=False),
        clock=StageClock(),
    )
    return PhaseRun(job, job.build(), 0, {}, None)


def step_times(settings: dict[str, dict[str, str]], seconds: float) -> list[dict[str, Any]]:
    children = {name: start([__file__, "--bursts"], setting) for name, setting in settings.items()}
    found: dict[tuple[str, int], list[dict[str, Any]]] = {(name, n): [] for name in settings for n in (0, BUSY)}
    until = time.monotonic() + seconds
    try:
        for child in children.values():
            burst(child)  # loads torch
        while time.monotonic() < until:
            for n_busy in (0, BUSY):
                with neighbors(n_busy) as others:
                    for name, child in children.items():
                        began, total, own = time.perf_counter(), busy_seconds(), sum(map(seconds_of, others))
                        cell = burst(child)
                        took = busy_seconds() - total - (sum(map(seconds_of, others)) - own) - cell.pop("processor")
                        cell["others"] = round(took / (time.perf_counter() - began), 2)
                        print(f"{name}, {n_busy} busy: {cell}", flush=True)
                        if cell["others"] < OTHERS + 0.1 * n_busy:  # ticks of 10 ms are counted
                            found[name, n_busy].append(cell)
    finally:
        for child in children.values():
            child.kill()
            child.wait()
    return [summary(name, found[name, 0], found[name, BUSY]) for name in settings]


def summary(name: str, quiet: list[dict[str, Any]], busy: list[dict[str, Any]]) -> dict[str, Any]:
    times = [sorted(cell["ms"] for cell in cells) for cells in (quiet, busy)]
    middle = [statistics.median(ms) if ms else None for ms in times]
    threads = [statistics.mode(cell["threads"] for cell in cells) if cells else None for cells in (quiet, busy)]
    print(f"{name:<20} quiet {middle[0]} ms in {len(quiet)}, busy {middle[1]} ms in {len(busy)}; threads {threads}")
    return {
        "setting": name,
        "quiet_ms": middle[0],
        "busy_ms": middle[1],
        "threads": threads,
        "all_quiet_ms": times[0],
        "all_busy_ms": times[1],
    }


def start(arguments: list[str], setting: dict[str, str]) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name not in CHOSEN} | setting
    return subprocess.Popen(
        [sys.executable, *arguments], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def burst(child: subprocess.Popen[str]) -> dict[str, Any]:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write("go\n")
    child.stdin.flush()
    found: dict[str, Any] = json.loads(child.stdout.readline())
    return found


@contextmanager
def neighbors(n: int) -> Iterator[list[int]]:
    """So many programs that never rest, by their process ids."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(n)]
    time.sleep(0.3)
    try:
        yield [one.pid for one in started]
    finally:
        for one in started:
            one.kill()
            one.wait()


def busy_seconds() -> float:
    """Seconds of processor that all programs of the machine have had."""
    user, nice, system, _, _, irq, softirq, steal, *_ = Path("/proc/stat").read_text().split("\n")[0].split()[1:]
    return sum(map(int, (user, nice, system, irq, softirq, steal))) / os.sysconf("SC_CLK_TCK")


def seconds_of(pid: int) -> float:
    """Seconds of processor that a program has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def demo(turns: int) -> dict[str, Any]:
    found: dict[int, list[float]] = {0: [], BUSY: []}
    for _ in range(turns):
        for n_busy, seconds in found.items():
            with tempfile.TemporaryDirectory() as folder, neighbors(n_busy):
                began = time.perf_counter()
                child = start(["-m", "labelprop", "demo", "--out", f"{folder}/demo"], {})
                child.communicate()
                seconds.append(round(time.perf_counter() - began, 1))
            print(f"demo, {n_busy} busy: {seconds[-1]} s", flush=True)
    middle = {n: statistics.median(seconds) for n, seconds in found.items()}
    return {"quiet_s": middle[0], "busy_s": middle[BUSY], "all_quiet_s": found[0], "all_busy_s": found[BUSY]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=200)
    parser.add_argument("--spins", default="", help="also these numbers of spins, with commas")
    parser.add_argument("--only", default="", help="these settings, with commas")
    parser.add_argument("--demo", action="store_true", help="the demo instead of a step, with labelprop's choice")
    parser.add_argument("--turns", type=int, default=2, help="of the demo")
    parser.add_argument("--bursts", action="store_true", help="for the processes it starts")
    options = parser.parse_args()
    if options.bursts:
        train_in_bursts()
        return
    from common import RESULTS, provenance, save

    made = provenance()
    if options.demo:
        part = {"demo": made | demo(options.turns)}
    else:
        settings = SETTINGS | {f"{n} spins": ALL | {"GOMP_SPINCOUNT": n} for n in options.spins.split(",") if n}
        wanted = [name for name in options.only.split(",") if name] or list(settings)
        part = {"step": made | {"rows": step_times({name: settings[name] for name in wanted}, options.seconds)}}
    path = RESULTS / "busy_neighbors.json"  # of each part the latest
    print(save("busy_neighbors", (json.loads(path.read_text()) if path.exists() else {}) | part))


if __name__ == "__main__":
    main()
