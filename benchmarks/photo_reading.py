"""How near `embed` comes to the pace of its network alone, on photos of 12 megapixels as cameras write them.

    python benchmarks/photo_reading.py --data DIR [--photos 48] [--size 160] [--rounds 3]

DIR holds cifar10/train.parquet: its images, enlarged to 4000 x 3000 with a texture over them, are written as JPEGs of
3 to 5 MB into a temporary folder. Measured, photos a second, on one core and on all, interleaved, medians of rounds:

    network     of backbone `photos` on pixels that are in memory
    decoding    reading, hashing and decoding at a reduced scale, in the threads that `embed` uses
    together    `embed` with an empty cache
    again       `embed` once more, from the cache

A core cannot do two things at once: where both need cores, together is at most 1 / (1 / network + 1 / decoding), the
bound by arithmetic that is printed beside it; so are seconds on a core, which hold beside other programs as well.
Writes benchmarks/results/photo_reading_SIZE.json.
"""

from __future__ import annotations

import labelprop  # noqa: F401  # isort: skip  # before torch, which then does not wait for its threads in vain

import argparse
import io
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq
import torch
from PIL import Image

from common import provenance, save
from labelprop.data.images.pixels import ForBackbone, ImageFormat
from labelprop.data.images.unchecked import UncheckedImages
from labelprop.data.samples import Samples, open_samples
from labelprop.models.backbone import Backbone, load_backbone
from labelprop.runs.embed import embed_samples

TEXTURE = 8  # gray levels of noise: as much as makes files of 3 to 5 MB
OLD_S = 3600


def write_photos(data: Path, folder: Path, n: int) -> float:
    """JPEGs of 12 megapixels; returns the mean size in MB."""
    cells = pq.read_table(data / "cifar10" / "train.parquet").slice(0, n)["image"].to_pylist()
    rng, total = np.random.default_rng(0), 0
    texture = rng.normal(0, TEXTURE, (3000, 4000, 1)).astype(np.float32)
    for number, cell in enumerate(cells):
        large = Image.open(io.BytesIO(cell["bytes"])).convert("RGB").resize((4000, 3000), Image.Resampling.BICUBIC)
        pixels = np.asarray(large, np.float32) + np.roll(texture, 97 * number, axis=1)
        path = folder / f"{number}.jpg"
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path, quality=90)
        os.utime(path, (time.time() - OLD_S,) * 2)
        total += path.stat().st_size
    return total / n / 1e6


class Took(NamedTuple):
    """Seconds on the clock, and of all threads on a core: the latter hardly depend on what else runs."""

    wall: float
    cpu: float


def timed(work: Callable[[], object]) -> Took:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Took(time.perf_counter() - wall, time.process_time() - cpu)


def decode(images: UncheckedImages) -> None:
    for batch in images.attempts([np.arange(len(images))], ()):
        assert all(one.pixels is not None for one in batch)


def embed(samples: Samples, backbone: Backbone, cache: Path) -> None:
    embed_samples(samples, backbone, cache=cache)


def measure(samples: Samples, backbone: Backbone, folder: Path) -> dict[str, Took]:
    images = samples.content
    assert isinstance(images, UncheckedImages)
    raw_B = torch.randint(0, 256, (len(samples), *images.shape), dtype=torch.uint8)
    cache = folder / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    return {
        "network": timed(lambda: backbone.embed(raw_B, torch.device("cpu"))),
        "decoding": timed(lambda: decode(images)),
        "together": timed(lambda: embed(samples, backbone, cache)),
        "again": timed(lambda: embed(samples, backbone, cache)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds cifar10/train.parquet")
    parser.add_argument("--photos", type=int, default=48)
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    backbone = load_backbone("photos", image_size=options.size)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "photos").mkdir()
        megabytes = write_photos(options.data, folder / "photos", options.photos)
        asked = ForBackbone(ImageFormat(3, options.size, options.size))
        samples = open_samples(folder / "photos", image_format=asked, warn=lambda _: None)
        backbone.embed(torch.zeros(8, 3, options.size, options.size, dtype=torch.uint8), torch.device("cpu"))
        rounds: dict[int, list[dict[str, Took]]] = {1: [], len(cores): []}
        for _ in range(options.rounds):
            for n, found in rounds.items():
                os.sched_setaffinity(0, cores[:n])
                torch.set_num_threads(n)
                found.append(measure(samples, backbone, folder))
        rows = []
        for n, found in rounds.items():
            pace = {what: len(samples) / statistics.median(one[what].wall for one in found) for what in found[0]}
            cpu = {what: statistics.median(one[what].cpu for one in found) / len(samples) for what in found[0]}
            bound = 1 / (1 / pace["network"] + 1 / pace["decoding"])
            row = {
                "cores": n,
                "photos_a_second": {what: round(value, 2) for what, value in pace.items()},
                "cpu_seconds_a_photo": {what: round(value, 4) for what, value in cpu.items()},
                "bound_by_arithmetic": round(bound, 2),
                "together_of_network": round(pace["together"] / pace["network"], 3),
                "together_of_bound": round(pace["together"] / bound, 3),
                "cpu_of_parts_to_together": round((cpu["network"] + cpu["decoding"]) / cpu["together"], 3),
            }
            rows.append(row)
            print(rows[-1], flush=True)
    described = {
        "load_average": round(os.getloadavg()[0], 1),
        "photos": options.photos,
        "size": options.size,
        "megabytes": round(megabytes, 2),
    }
    save(f"photo_reading_{options.size}", {"provenance": provenance(), **described, "rows": rows})


if __name__ == "__main__":
    main()
