"""A method and its recipe: the labels, and answers that are decided and use all classes. `--recipe rim`."""

from dataclasses import dataclass

from torch.special import entr

from labelprop.methods import Entry, LossTerms, NotNegative, TwoStreams, recipe, weighted_cross_entropy


@dataclass(eq=False, repr=False, kw_only=True)
class InformationMaximization(TwoStreams):
    """Cross-entropy on the labeled; on the others what an example tells of its class (Krause et al. 2010)."""

    weight: NotNegative = 0.1

    def loss(self, net, batch, progress):
        logits_BC, n = net(batch.joint.views_V[0])["class"], len(batch.labels_B)  # the first n are labeled
        p_UC = logits_BC[n:].softmax(dim=1)
        told = entr(p_UC.mean(dim=0)).sum() - entr(p_UC).sum(dim=1).mean()
        supervised = weighted_cross_entropy(logits_BC[:n], batch.labels_B, batch.trust_B)
        return LossTerms({"supervised": supervised, "untold": -told}, {"supervised": 1.0, "untold": self.weight})


@recipe("rim", InformationMaximization)
def rim(s):
    return (s.phase("rim", s.make(InformationMaximization)),)


entry = Entry("method:rim", "The labels, and answers that are decided and use all classes (Krause et al. 2010).")
