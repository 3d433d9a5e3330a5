"""A trained method of your own: entropy minimization, checked by the public conformance suite, then trained.

python examples/own_method.py
"""

from __future__ import annotations

import numpy as np
import torch

from labelprop.core.clock import StageClock
from labelprop.core.types import BatchSpec, StreamSpec, Task
from labelprop.data.contents import TensorContent
from labelprop.data.views.batches import Loader
from labelprop.data.views.preprocessing import Preprocessing
from labelprop.data.views.views import Views
from labelprop.functional.loss import weighted_cross_entropy
from labelprop.methods.base import LossTerms, Method
from labelprop.models.network import ModelSpec, build
from labelprop.testing import check_method
from labelprop.training import loop
from labelprop.training.job import Job, Plan, WorkMeter, make_fabric
from labelprop.training.phases import Phase, Recipe


class EntropyMinimization(Method):
    """Cross-entropy on the labeled, plus the entropy of the prediction on the unlabeled (Grandvalet 2004)."""

    def __init__(self, *, weight: float = 0.1, labeled: int = 8, unlabeled: int = 16) -> None:
        super().__init__()
        self.weight = weight
        self.needs = BatchSpec(StreamSpec(labeled), StreamSpec(unlabeled))

    def loss(self, net, batch, progress):
        logits_BC = net(batch.joint.views_V[0])["class"]
        n_labeled = len(batch.labels_B)
        ones_B = torch.ones(n_labeled)
        log_p_UC = logits_BC[n_labeled:].log_softmax(1)
        terms = {
            "supervised": weighted_cross_entropy(logits_BC[:n_labeled], batch.labels_B, ones_B),
            "entropy": -(log_p_UC.exp() * log_p_UC).sum(1).mean(),
        }
        return LossTerms(terms, {"supervised": 1.0, "entropy": self.weight})


def main() -> None:
    check_method(EntropyMinimization)
    print("check_method: passed")

    generator = np.random.default_rng(0)
    truth = torch.arange(200) % 2
    X = torch.from_numpy(generator.normal(size=(200, 8)).astype(np.float32)) + 1.5 * truth[:, None]
    content = TensorContent(X, torch.float32)
    task = Task(torch.where(torch.arange(200) < 10, truth, -1), torch.ones(200), 2, seed=0)
    recipe = Recipe(name="entropy", phases=(Phase(name="entropy", method=EntropyMinimization),))
    job = Job(
        label="entropy",
        recipe=recipe,
        plan=Plan(steps=(120,), steps_per_epoch=12),
        task=task,
        loader=Loader.over(content, Views(Preprocessing.measure(content), "none"), torch.device("cpu")),
        build=lambda: build(ModelSpec("mlp", (8,), recipe.heads(2)), seed=0),
        fabric=make_fabric(torch.device("cpu"), deterministic=False),
        meter=WorkMeter(120),
        clock=StageClock(),
    )
    net = loop.run(job).net.eval()
    with torch.no_grad():
        right = net(job.loader.views.make("eval", X, torch.Generator()))["class"].argmax(1) == truth
    print(f"{right[10:].float().mean():.1%} of the unlabeled rows right")


if __name__ == "__main__":
    main()
