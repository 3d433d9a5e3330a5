"""Mean Teacher, alone and with diffused labels on top."""

from __future__ import annotations

from labelprop.methods.mean_teacher import MeanTeacher
from labelprop.methods.phases import Phase
from labelprop.methods.settings import FIRST_SHARE, Settings, recipe
from labelprop.training.recipes.diffused import GRAPH, NEIGHBORS, WEIGHTS, diffused_labels


@recipe("mean-teacher", MeanTeacher)
def mean_teacher(s: Settings) -> tuple[Phase, ...]:
    """Mean Teacher (Tarvainen & Valpola 2017) with the settings of the DLP paper."""
    return (s.phase("mean-teacher", s.make(MeanTeacher), s.given_labels()),)


@recipe("mt+dlp", WEIGHTS, NEIGHBORS, GRAPH, MeanTeacher, restore_teacher=True)
def mt_dlp(s: Settings) -> tuple[Phase, ...]:
    """MT + DLP (Iscen et al. 2019): Mean Teacher, then the same with diffused labels.

    The graph is built on the student's features. `restore_teacher=False` starts the second stage's teacher anew from
    the student (the released code starts it from random weights).
    """
    first = s.phase("mean-teacher", s.make(MeanTeacher), s.given_labels(), share=FIRST_SHARE)
    goes_on = {"keep_optimizer": True, "keep_state": s["restore_teacher"]}
    return first, s.phase("mt+dlp", s.make(MeanTeacher), diffused_labels(s), **goes_on)
