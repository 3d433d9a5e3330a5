from pathlib import Path

from labelprop.report.gather.page import read_run
from labelprop.report.gather.training import Curve, read_training
from report.synthetic import Spec, write_run


def test_history_is_split_into_this_run_and_the_baseline(tmp_path: Path):
    training = read_training(read_run(write_run(tmp_path, Spec(n=120))))
    assert [(phase.name, phase.first, phase.last) for phase in training.phases] == [
        ("supervised", 1, 6),
        ("dlp", 7, 24),
    ]
    assert training.loss.epochs == training.baseline_loss.epochs == tuple(range(1, 25))
    assert training.accuracy.last > training.baseline_accuracy.last


def test_epochs_that_were_not_measured_are_gaps_not_zeros():
    curve = Curve((2, 5), (0.8, 0.9))
    assert (curve.at(1), curve.at(4), curve.at(9)) == (None, 0.8, 0.9)


def test_a_run_without_history(tmp_path: Path):
    training = read_training(read_run(write_run(tmp_path, Spec(n=60, verb="propagate"))))
    assert training.epochs == 0
    assert not training.loss
