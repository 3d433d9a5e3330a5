from pathlib import Path

from labelprop.report.gather.finished_run import read_run
from labelprop.report.gather.history import Curve, History, PhaseEpochs
from report.synthetic import Spec, write_run


def test_history_is_split_into_this_run_and_the_baseline(tmp_path: Path):
    run = read_run(write_run(tmp_path, Spec(n=120)))
    assert run.own.phases == (PhaseEpochs("supervised", 1, 6), PhaseEpochs("dlp", 7, 24))
    assert run.last_phase == run.own.phases[-1]
    assert run.own.loss.epochs == run.baseline.loss.epochs == tuple(range(1, 25))
    assert run.own.monitored("accuracy").last > run.baseline.monitored("accuracy").last


def test_epochs_that_were_not_measured_are_gaps_not_zeros():
    lines = [{}, {"monitor": {"accuracy": 0.8}}, {"monitor": None}, {"monitor": {"accuracy": float("nan")}}]
    assert History(lines).monitored("accuracy") == Curve((2,), (0.8,))


def test_a_run_without_history(tmp_path: Path):
    run = read_run(write_run(tmp_path, Spec(n=60, verb="propagate")))
    assert run.own.phases == ()
    assert run.last_phase is None
    assert not run.own.loss
