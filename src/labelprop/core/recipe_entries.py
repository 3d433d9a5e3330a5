"""Recipes by name: where each is, and what it does. Its settings and their defaults stand in the recipe itself."""

from __future__ import annotations

from labelprop.core.entry import Entry

AUTO = "auto"  # no recipe itself: chooses among them
AUTO_SUMMARY = "A short race of a few of these on hidden labels; trains the one that does best there."


def _entry(place: str, summary: str) -> Entry:
    return Entry(f"labelprop.training.recipes.{place}", summary)


RECIPES: dict[str, Entry] = {
    "supervised": _entry("labels:supervised", "The given labels alone; the baseline of every other."),
    "dlp": _entry(
        "diffused:dlp", "Labels diffused over a graph of the embedding before every epoch (Iscen et al. 2019)."
    ),
    "network-prediction": _entry(
        "diffused:network_prediction", "DLP with the network's own softmax in place of the diffusion (its ablation)."
    ),
    "propagated": _entry(
        "diffused:propagated",
        "Labels propagated once over the examples as they are, for a network to learn; for pretrained vectors.",
    ),
    "mean-teacher": _entry(
        "teacher:mean_teacher", "Agreement with a slow average of the network itself (Tarvainen and Valpola 2017)."
    ),
    "mt+dlp": _entry("teacher:mt_dlp", "Mean Teacher, then diffused labels on top of it (Iscen et al. 2019)."),
    "ir": _entry("embedding:ir", "Every example a class of its own; labels only vote (Wu et al. 2018)."),
    "la": _entry(
        "embedding:la", "Neighbors that cluster together draw together; labels only vote (Zhuang, Zhai, Yamins 2019)."
    ),
    "llp": _entry(
        "embedding:llp", "Near labeled examples vote at every step, those in dense regions less (Zhuang et al. 2019)."
    ),
    "llp+diffusion": _entry(
        "embedding:llp_diffusion", "llp with labels diffused over its memory bank before every epoch, not voted on."
    ),
    "llp+rj": _entry("rate_jump:llp_rj", "llp, and a rate jump after it (Zhuang et al. 2019)."),
    "linear-readout": _entry(
        "labels:linear_readout",
        "One linear layer on the frozen network of another run (--init): how well it transfers.",
    ),
    "supervised+rj": _entry("rate_jump:supervised_rj", "The given labels alone, and a rate jump after them."),
    "mean-teacher+rj": _entry("rate_jump:mean_teacher_rj", "mean-teacher, and a rate jump after it."),
    "pi": _entry("consistency:pi", "Agreement of the network with itself on two views (Laine and Aila 2017)."),
    "temporal-ensembling": _entry(
        "consistency:temporal_ensembling",
        "Agreement of the network with its own predictions of past epochs (Laine and Aila 2017).",
    ),
    "vat": _entry(
        "consistency:vat", "The same answer in the direction in which it changes most (Miyato et al. 2018)."
    ),
    "vat-em": _entry("consistency:vat_em", "vat, and decided answers on unlabeled examples (Miyato et al. 2018)."),
    "uda": _entry("strong:uda", "Strong views learn the sharpened prediction on weak ones (Xie et al. 2020)."),
    "fixmatch": _entry(
        "strong:fixmatch", "Strong views learn what the network is sure of on weak ones (Sohn et al. 2020)."
    ),
    "freematch": _entry(
        "strong:freematch", "FixMatch with thresholds that the network's own confidence sets (Wang et al. 2023)."
    ),
    "fixmatch+dlp": _entry("combined:fixmatch_dlp", "fixmatch, then diffused labels on top of it."),
    "mt+llp": _entry("combined:mt_llp", "llp with a mean teacher."),
    "uda+llp": _entry("combined:uda_llp", "llp whose strong views learn the sharpened prediction on weak ones."),
    "la+llp": _entry("combined:la_llp", "llp after a phase of local aggregation."),
    "pseudo-label": _entry(
        "self_training:pseudo_label", "The network's own guesses as labels, anew at every step or once (Lee 2013)."
    ),
    "dmt": _entry(
        "self_training:dmt",
        "An embedding learned without labels, cut once; training on its surest labels (Liu et al. 2018).",
    ),
    "s4l-rotation": _entry(
        "auxiliary:s4l_rotation", "The labels, and by how much an image was turned (Zhai et al. 2019); images only."
    ),
    "s4l-exemplar": _entry(
        "auxiliary:s4l_exemplar", "The labels, and which views are of the same example (Zhai et al. 2019)."
    ),
    "dct": _entry(
        "consistency:dct",
        "Two networks that agree, and are kept from erring alike by misleading examples (Qiao et al. 2018).",
    ),
    "tdcnn": _entry(
        "self_training:tdcnn",
        "The network's guesses, trusted where its features are dense (Shi et al. 2018); experimental, reconstructed.",
    ),
}
