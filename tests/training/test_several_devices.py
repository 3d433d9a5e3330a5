"""Two processes train as one that takes the same half-batches one after the other."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import labelprop
import ranks
from labelprop.core import registry
from labelprop.core.distributed import Group, launch
from labelprop.core.errors import RequestError
from labelprop.core.types import BatchSpec, Progress, Stream, StreamSpec
from labelprop.data.views.batches import draw_epoch, part_of_step
from labelprop.models.trunks.modes import running_statistics
from labelprop.training.checkpoint import optimizer_tensors
from labelprop.training.job import epoch_seeds
from labelprop.training.phase_run import PhaseRun, of_all

NAMES = sorted(registry.entries("recipes"))
QUICK = ("dlp", "llp", "mt+dlp")


class HalfBatches:
    """One process that takes the parts of every batch one after the other, with statistics for each part.

    Written apart from the loop: gradients are added up by hand, statistics are put in place by hand.
    """

    def __init__(self, name: str, size: int = 2) -> None:
        self.job, self.groups = ranks.small_job(name), [Group(rank, size) for rank in range(size)]
        self.losses, self.labels = [], []
        net, optimizer_state, before = self.job.build(), {}, None
        for index in range(len(self.job.recipe.phases)):
            self.phase = PhaseRun(self.job, net, index, optimizer_state, None, before)
            self.statistics = [self._taken() for _ in self.groups]
            self._refresh(0)
            for epoch in range(self.job.lengths.epochs(index)):
                self._epoch(index, epoch)
                self._refresh(epoch + 1)
            optimizer_state, before = optimizer_tensors(self.phase.optimizer), self.phase.method

    def _taken(self) -> list[torch.Tensor]:
        return [tensor.clone() for tensor in running_statistics(self.phase.module, self.phase.method)]

    def _put(self, kept: list[torch.Tensor]) -> None:
        for tensor, value in zip(running_statistics(self.phase.module, self.phase.method), kept, strict=True):
            tensor.copy_(value)

    def _refresh(self, epoch: int) -> None:
        self._put([torch.stack(values).mean(dim=0) for values in zip(*self.statistics, strict=True)])
        self.phase.refresh(epoch)
        self.statistics = [self._taken() for _ in self.groups]
        pseudo = self.phase.method.pseudo_labels()
        self.labels.append([] if pseudo is None else pseudo.labels_N.tolist())

    def _epoch(self, index: int, epoch: int) -> None:
        job, phase, needs = self.job, self.phase, self.phase.method.needs
        first, steps = epoch * job.lengths.steps_per_epoch, job.lengths.steps_in(index, epoch)
        streams, self.random = [], []
        for group in self.groups:
            dropout_seed, view_seed = epoch_seeds(0, index, epoch, group.rank)
            self.random.append(torch.Generator().manual_seed(dropout_seed).get_state())
            place = {"phase": index, "epoch": epoch, "steps": steps, "first_step": first}
            drawn = draw_epoch(job.task, needs, **place, pool_P=phase.method.drawn_from())
            parts = [part_of_step(pair, group) for pair in drawn]
            streams.append(job.loader.batches(parts, needs, job.task, torch.Generator().manual_seed(view_seed)))
        of_epoch = []
        for offset, batches in enumerate(zip(*streams, strict=True)):
            progress = Progress(first + offset, job.lengths.steps[index], epoch, job.lengths.steps_per_epoch)
            of_epoch.append(self._step(batches, progress))
        phase.losses = [*phase.losses, sum(of_epoch) / len(of_epoch)]
        self.losses += of_epoch

    def _step(self, batches, progress: Progress) -> float:
        phase, found = self.phase, []
        for group in phase.optimizer.param_groups:
            group["lr"] = phase.spec.optimizer.lr * phase.spec.schedule(progress.fraction, phase.losses)
        for rank, batch in enumerate(batches):
            self._put(self.statistics[rank])
            torch.set_rng_state(self.random[rank])
            found.append(phase.method.loss(phase.net, batch, progress))
            (found[-1].total() / len(batches)).backward()
            self.random[rank], self.statistics[rank] = torch.get_rng_state(), self._taken()
        phase.optimizer.step()
        phase.optimizer.zero_grad(set_to_none=True)
        self._after_step(batches, found, progress)
        return sum(float(part.total().detach()) for part in found) / len(found)

    def _after_step(self, batches, found, progress: Progress) -> None:
        indices_B = torch.cat([batch.joint.indices_B for batch in batches])
        outputs = {name: torch.cat([part.outputs[name] for part in found]) for name in found[0].outputs}
        whole = replace(batches[0], joint=Stream(indices_B, ()))
        before = {name: value.clone() for name, value in self.phase.method.state_dict().items()}
        for rank, part in enumerate(found):
            self.phase.method.load_state_dict(before)
            self._put(self.statistics[rank])
            with torch.no_grad():
                self.phase.method.after_step(self.phase.module, whole, {**outputs, **part.own}, progress)
            self.statistics[rank] = self._taken()


@pytest.fixture(scope="module")
def quick():
    return launch(2, ranks.traces, QUICK)


def first_two(labels: list[list[int]]) -> list[list[int]]:
    """Those before the first epoch that has any, and after it."""
    return [row for row in labels if row][:2]


def compare(found, name: str) -> None:
    losses, labels, checksum = found
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        expected = HalfBatches(name)
    torch.set_num_threads(threads)
    assert len(losses) == ranks.STEPS * len(expected.job.recipe.phases)
    assert losses == pytest.approx(expected.losses, rel=1e-5)
    assert first_two(labels) == first_two(expected.labels)
    assert checksum == pytest.approx(ranks.checksum(expected.phase.method), rel=1e-4)


@pytest.mark.parametrize("name", QUICK)
def test_two_processes_equal_half_batches(quick, name: str) -> None:
    compare(quick[name], name)


@pytest.mark.slow
def test_two_processes_equal_half_batches_for_every_recipe() -> None:
    others = [name for name in NAMES if name not in QUICK]
    for name, found in launch(2, ranks.traces, others).items():
        compare(found, name)


def test_two_half_batches_are_another_computation_than_one_batch(quick) -> None:
    """Else the comparison above would show nothing: batch normalization sees half of a batch."""
    alone, _, _ = ranks.traces(["dlp"], None)["dlp"]
    assert alone[:5] != pytest.approx(quick["dlp"][0][:5], rel=1e-3)


class Lines:
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def advance(self, stage: str, done: float, total: float) -> None: ...


def test_what_is_exchanged_arrives_whole() -> None:
    heard = Lines()
    assert launch(2, ranks.exchanges, reporter=heard) is True
    assert heard.said == ["process 1 of 2"], "the first process alone speaks"


def test_failures_are_told() -> None:
    with pytest.raises(RequestError, match="no: "):
        launch(2, ranks.refuse)
    with pytest.raises(RequestError, match="cannot be"):
        launch(2, ranks.refuse, lambda: None)


@pytest.mark.slow
def test_a_killed_process_and_a_mistake_end_the_others() -> None:
    with pytest.raises(labelprop.core.errors.WorkError, match="process 2 of 2 was killed"):
        launch(2, ranks.die)
    with pytest.raises(RuntimeError, match="a mistake"):
        launch(2, ranks.fail)


def test_parts_of_a_step_are_even_and_together_the_whole() -> None:
    labeled, unlabeled = np.arange(31), np.arange(100, 197)
    for size in (1, 2, 4, 8):
        parts = [part_of_step((labeled, unlabeled), Group(rank, size)) for rank in range(size)]
        assert {len(a) + len(b) for a, b in parts} == {128 // size}
        assert np.array_equal(np.concatenate([a for a, _ in parts]), labeled)
        assert np.array_equal(np.concatenate([b for _, b in parts]), unlabeled)
        counts = [len(a) for a, _ in parts]
        assert max(counts) - min(counts) <= 1
    with pytest.raises(RequestError, match=r"a batch of 128 cannot be shared out evenly among 3 devices.*batch_size"):
        part_of_step((labeled, unlabeled), Group(0, 3))


def test_a_pool_smaller_than_a_batch_is_shared_out_evenly() -> None:
    job = ranks.small_job("llp")
    needs = BatchSpec(StreamSpec(3), StreamSpec(1000))
    place = {"phase": 0, "epoch": 0, "steps": 1, "first_step": 0}
    n_unlabeled = len(job.task.unlabeled_U)
    for size in (1, 2, 4):
        ((labeled, unlabeled),) = draw_epoch(job.task, needs, **place, n_processes=size)
        assert (len(labeled) + len(unlabeled)) % size == 0
        assert n_unlabeled - size < len(unlabeled) <= n_unlabeled


def test_every_process_draws_views_and_dropout_of_its_own() -> None:
    drawn = [seed for rank in range(3) for seed in epoch_seeds(0, 1, 2, rank)]
    assert len(set(drawn)) == 6


def test_alone_nothing_is_exchanged_and_the_step_is_told_whole() -> None:
    job = ranks.small_job("llp")
    phase = PhaseRun(job, job.build(), 1, {}, None)
    phase.refresh(0)
    drawn = draw_epoch(job.task, phase.method.needs, phase=1, epoch=0, steps=1, first_step=0)
    batch = next(job.loader.batches(drawn, phase.method.needs, job.task, torch.Generator()))
    found = phase.method.loss(phase.net, batch, Progress(0, 20, 0, 5))
    told, outputs = of_all(batch, found, Group())
    assert torch.equal(told.joint.indices_B, batch.joint.indices_B)
    assert set(outputs) == {"class", "embedding"}
    assert all(outputs[name] is found.outputs[name] for name in outputs)


@pytest.fixture(scope="module")
def vectors():
    generator = np.random.default_rng(0)
    classes = np.arange(90) % 3
    vectors_ND = (2 * np.eye(6)[classes] + generator.normal(size=(90, 6))).astype(np.float32)
    return vectors_ND, np.where(np.arange(90) < 12, classes, -1)


@pytest.mark.parametrize("augment", ["auto", pytest.param("mix", marks=pytest.mark.slow)])
def test_a_run_on_two_devices_resumes_as_if_unbroken(vectors, tmp_path, augment: str) -> None:
    options = {"recipe": "llp", "epochs": 2, "baselines": False, "settings": ranks.settings_of("llp"), "devices": 2}
    options["augment"] = augment
    unbroken = labelprop.train(*vectors, out=tmp_path / "unbroken", **options)
    with pytest.raises(labelprop.core.errors.WorkError, match="stopped here"):
        launch(2, ranks.train_until, 3, *vectors, tmp_path / "broken", options)
    assert not labelprop.core.run_folder.RunFolder(tmp_path / "broken").finished
    resumed = labelprop.train(*vectors, out=tmp_path / "broken", resume=True, **options)
    assert resumed.labels.equals(unbroken.labels)
    for name in ("model.safetensors", "pseudo_labels.parquet"):
        assert (resumed.path / name).read_bytes() == (unbroken.path / name).read_bytes(), name
    folder = labelprop.core.run_folder.RunFolder(tmp_path / "broken")
    folder.write_json("run.json", folder.read_json("run.json") | {"status": "running"})
    with pytest.raises(RequestError, match="devices was 2 and is 1"):
        labelprop.train(*vectors, out=folder.path, resume=True, **options | {"devices": 1})


def test_a_wrong_number_of_devices_is_refused_before_anything_is_written(vectors, tmp_path) -> None:
    with pytest.raises(RequestError, match="devices=0 must be at least 1"):
        labelprop.train(*vectors, out=tmp_path / "run", devices=0)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_torchrun_starts_the_same_training(vectors, tmp_path) -> None:
    vectors_ND, y = vectors
    np.save(tmp_path / "vectors.npy", vectors_ND)
    np.save(tmp_path / "labels.npy", y)
    settings = ["--set", "batch_size=12", "--set", "labeled_batch_size=6", "--set", "n_neighbors=5"]
    asked = ["vectors.npy", "--labels", "labels.npy", "--epochs", "1", *settings]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--no-python"]
    labelprop_command = str(Path(sys.executable).with_name("labelprop"))
    for start, out in ((torchrun, "started"), ([], "spawned")):
        command = [*start, labelprop_command, "train", *asked, "--out", out, *([] if start else ["--devices", "2"])]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("report: ") == 1
    assert (tmp_path / "started/labels.parquet").read_bytes() == (tmp_path / "spawned/labels.parquet").read_bytes()
