"""Trained methods, one a file, and all names that a file with a method and a recipe of one's own needs.

They are imported where they are first used: a file that only makes an `Entry` costs next to nothing.
"""

from typing import TYPE_CHECKING

from labelprop.core.lazy import handed_on

if TYPE_CHECKING:
    from labelprop.core.entry import Entry as Entry
    from labelprop.core.errors import RequestError as RequestError
    from labelprop.core.types import UNLABELED as UNLABELED
    from labelprop.core.types import Batch as Batch
    from labelprop.core.types import BatchSpec as BatchSpec
    from labelprop.core.types import Progress as Progress
    from labelprop.core.types import PseudoLabels as PseudoLabels
    from labelprop.core.types import StreamSpec as StreamSpec
    from labelprop.core.types import Task as Task
    from labelprop.functional.loss import weighted_cross_entropy as weighted_cross_entropy
    from labelprop.functional.schedule import constant as constant
    from labelprop.functional.schedule import cosine as cosine
    from labelprop.functional.schedule import plateau as plateau
    from labelprop.functional.schedule import step as step
    from labelprop.functional.schedule import warm_up as warm_up
    from labelprop.methods.base import LossTerms as LossTerms
    from labelprop.methods.base import Method as Method
    from labelprop.methods.base import Net as Net
    from labelprop.methods.base import Outputs as Outputs
    from labelprop.methods.base import Sum as Sum
    from labelprop.methods.base import Tools as Tools
    from labelprop.methods.phases import Phase as Phase
    from labelprop.methods.phases import Recipe as Recipe
    from labelprop.methods.phases import Sgd as Sgd
    from labelprop.methods.settings import Settings as Settings
    from labelprop.methods.settings import recipe as recipe
    from labelprop.methods.streams import TwoStreams as TwoStreams
    from labelprop.methods.streams import two_streams as two_streams
    from labelprop.propagators.estimator.parameters import Count as Count
    from labelprop.propagators.estimator.parameters import NotNegative as NotNegative
    from labelprop.propagators.estimator.parameters import Number as Number
    from labelprop.propagators.estimator.parameters import OneOf as OneOf
    from labelprop.propagators.estimator.parameters import Portion as Portion
    from labelprop.propagators.estimator.parameters import Positive as Positive
    from labelprop.propagators.estimator.parameters import Share as Share

__all__, __getattr__, __dir__ = handed_on(__name__)
