"""Recipes by name: one line each, with their settings and defaults."""

from __future__ import annotations

from labelprop.core.entry import Entry

AUTO = "auto"  # no recipe itself: chooses among them
AUTO_SUMMARY = "A short race of a few of these on hidden labels; trains the one that finds most of them."

DIFFUSION = {"n_neighbors": 50, "power": 3.0, "alpha": 0.99, "max_iter": 20, "tol": 1e-6} | {
    "balance_seeds": True,
    "max_normalize": True,
}
_SUPERVISED = {"batch_size": 100, "lr": 0.05, "weight_decay": 2e-4, "l2_feature": True}
_LABELS_ONLY = _SUPERVISED | {"schedule": "cosine"}
_PSEUDO = _SUPERVISED | {
    "labeled_batch_size": 50,
    "certainty": True,
    "class_balance": True,
    "max_class_weight": None,
    "label_view": "eval",
}

RECIPES: dict[str, Entry] = {
    "supervised": Entry(
        "labelprop.training.recipes:supervised",
        "The given labels alone; the baseline of every other.",
        _LABELS_ONLY,
    ),
    "dlp": Entry(
        "labelprop.training.recipes:dlp",
        "Labels diffused over a graph of the embedding before every epoch (Iscen et al. 2019).",
        _PSEUDO | DIFFUSION,
    ),
    "network-prediction": Entry(
        "labelprop.training.recipes:network_prediction",
        "DLP with the network's own softmax in place of the diffusion (its ablation).",
        _PSEUDO | {"max_normalize": True},
    ),
}

_TEACHER = {
    "batch_size": 100,
    "labeled_batch_size": 50,
    "weight": 100.0,
    "ramp_up": 5,
    "decay": 0.97,
    "tie": 0.01,
    "divergence": "mse",
    "statistics": "own",
}
_EMBEDDER = {"batch_size": 128, "dim": 128, "temperature": 0.07, "momentum": 0.5}
_LOCAL = _EMBEDDER | {
    "labeled_batch_size": 0,
    "n_neighbors": 10,
    "n_density": 25,
    "density": "joint",
    "pool": "unlabeled",
    "confidence": True,
    "classification": True,
    "label_source": "vote",
}
_RATE = {"lr": 0.05, "weight_decay": 2e-4, "l2_feature": False}
_EMBEDDING_RATE = {"lr": 0.03, "weight_decay": 1e-4, "l2_feature": False}

RECIPES |= {
    "mean-teacher": Entry(
        "labelprop.training.recipes:mean_teacher",
        "Agreement with a slow average of the network itself (Tarvainen and Valpola 2017).",
        _RATE | _TEACHER,
    ),
    "mt+dlp": Entry(
        "labelprop.training.recipes:mt_dlp",
        "Mean Teacher, then diffused labels on top of it (Iscen et al. 2019).",
        _RATE
        | {"certainty": True, "class_balance": True, "max_class_weight": None, "label_view": "eval"}
        | {"n_neighbors": 50, "power": 3, "alpha": 0.99, "restore_teacher": True}
        | _TEACHER,
    ),
    "ir": Entry(
        "labelprop.training.recipes:ir",
        "Every example a class of its own; labels only vote (Wu et al. 2018).",
        _EMBEDDING_RATE | _EMBEDDER | {"noise": None, "normalizer": None, "n_voters": 10},
    ),
    "la": Entry(
        "labelprop.training.recipes:la",
        "Neighbors that cluster together draw together; labels only vote (Zhuang, Zhai, Yamins 2019).",
        _EMBEDDING_RATE
        | _EMBEDDER
        | {"n_neighbors": 4096, "n_clusters": None, "clusterings": 10, "rounds": 20, "n_voters": 10},
    ),
    "llp": Entry(
        "labelprop.training.recipes:llp",
        "Near labeled examples vote at every step, those in dense regions less (Zhuang et al. 2019).",
        _EMBEDDING_RATE | _LOCAL,
    ),
    "llp+rj": Entry(
        "labelprop.training.recipes:llp_rj",
        "llp, and a rate jump after it (Zhuang et al. 2019).",
        _EMBEDDING_RATE | _LOCAL,
    ),
    "linear-readout": Entry(
        "labelprop.training.recipes:linear_readout",
        "One linear layer on the frozen network of another run (--init): how well it transfers.",
        {"batch_size": 128, "lr": 0.01, "weight_decay": 1e-4},
    ),
    "supervised+rj": Entry(
        "labelprop.training.recipes:supervised_rj",
        "The given labels alone, and a rate jump after them.",
        _LABELS_ONLY,
    ),
    "mean-teacher+rj": Entry(
        "labelprop.training.recipes:mean_teacher_rj",
        "mean-teacher, and a rate jump after it.",
        _RATE | _TEACHER,
    ),
}

_TWO_STREAMS = {"batch_size": 100, "labeled_batch_size": 50}
_VAT = {
    "batch_size": 160,
    "labeled_batch_size": 32,
    "weight": 1.0,
    "epsilon": None,
    "xi": 0.1,
    "power_steps": 1,
    "divergence": "kl",
}

RECIPES |= {
    "pi": Entry(
        "labelprop.training.recipes:pi",
        "Agreement of the network with itself on two views (Laine and Aila 2017).",
        _RATE | _TWO_STREAMS | {"weight": 100.0, "ramp_up_share": 80 / 300},
    ),
    "temporal-ensembling": Entry(
        "labelprop.training.recipes:temporal_ensembling",
        "Agreement of the network with its own predictions of past epochs (Laine and Aila 2017).",
        _RATE | _TWO_STREAMS | {"weight": 30.0, "ramp_up_share": 80 / 300, "momentum": 0.6},
    ),
    "vat": Entry(
        "labelprop.training.recipes:vat",
        "The same answer in the direction in which it changes most (Miyato et al. 2018).",
        _RATE | _VAT,
    ),
    "vat-em": Entry(
        "labelprop.training.recipes:vat_em",
        "vat, and decided answers on unlabeled examples (Miyato et al. 2018).",
        _RATE | _VAT | {"entropy_weight": 1.0},
    ),
}

_STRONG_RATE = {"lr": 0.03, "weight_decay": 5e-4, "l2_feature": False}
_STRONG = {"batch_size": 512, "labeled_batch_size": 64, "weight": 1.0}
_UDA = _STRONG | {"threshold": 0.8, "sharpening": 0.4}
_FIXMATCH = _STRONG | {"threshold": 0.95}
_AVERAGED = {"decay": 0.999, "statistics": "copy"}
_AVERAGED_WHOLE = {"decay": 0.9999, "statistics": "ema"}

RECIPES |= {
    "uda": Entry(
        "labelprop.training.recipes:uda",
        "Strong views learn the sharpened prediction on weak ones (Xie et al. 2020).",
        _STRONG_RATE | {"annealing": None} | _AVERAGED_WHOLE | _UDA,
    ),
    "fixmatch": Entry(
        "labelprop.training.recipes:fixmatch",
        "Strong views learn what the network is sure of on weak ones (Sohn et al. 2020).",
        _STRONG_RATE | _AVERAGED | _FIXMATCH,
    ),
    "freematch": Entry(
        "labelprop.training.recipes:freematch",
        "FixMatch with thresholds that the network's own confidence sets (Wang et al. 2023).",
        _STRONG_RATE | _AVERAGED | _STRONG | {"fairness": 0.01, "momentum": 0.999},
    ),
}

_HEADED = {name: value for name, value in _LOCAL.items() if name != "classification"}

RECIPES |= {
    "fixmatch+dlp": Entry(
        "labelprop.training.recipes:fixmatch_dlp",
        "fixmatch, then diffused labels on top of it.",
        _STRONG_RATE
        | {"certainty": True, "class_balance": True, "max_class_weight": None, "label_view": "eval"}
        | {"n_neighbors": 50, "power": 3, "alpha": 0.99}
        | _AVERAGED
        | _FIXMATCH,
    ),
    "mt+llp": Entry(
        "labelprop.training.recipes:mt_llp",
        "llp with a mean teacher.",
        _EMBEDDING_RATE | _TEACHER | _HEADED | {"batch_size": 128, "labeled_batch_size": 32},
    ),
    "uda+llp": Entry(
        "labelprop.training.recipes:uda_llp",
        "llp whose strong views learn the sharpened prediction on weak ones.",
        _EMBEDDING_RATE | _UDA | _HEADED | _AVERAGED_WHOLE | {"batch_size": 128, "labeled_batch_size": 16},
    ),
    "la+llp": Entry(
        "labelprop.training.recipes:la_llp",
        "llp after a phase of local aggregation.",
        _EMBEDDING_RATE | _LOCAL | {"n_background": 4096, "n_clusters": None, "clusterings": 10, "rounds": 20},
    ),
}

RECIPES |= {
    "pseudo-label": Entry(
        "labelprop.training.recipes:pseudo_label",
        "The network's own guesses as labels, anew at every step or once (Lee 2013).",
        {"form": "online", "batch_size": 288, "lr": 0.05, "weight_decay": 2e-4, "l2_feature": False}
        | {"labeled_batch_size": 32, "weight": 3.0, "ramp_from": 0.1, "ramp_to": 0.6, "threshold": None},
    ),
    "dmt": Entry(
        "labelprop.training.recipes:dmt",
        "An embedding learned without labels, cut once; training on its surest labels (Liu et al. 2018).",
        {"batch_size": 128, "lr": 0.01, "metric_lr": 0.03, "weight_decay": 5e-4, "l2_feature": False}
        | {"dim": 128, "temperature": 0.1, "momentum": 0.5}
        | {"source": "spectral-cut", "n_neighbors": 20, "n_eigenvectors": 200, "cut_temperature": 0.2}
        | {"fraction": None, "weighted": False},
    ),
    "s4l-rotation": Entry(
        "labelprop.training.recipes:s4l_rotation",
        "The labels, and by how much an image was turned (Zhai et al. 2019); images only.",
        {"lr": 0.03, "weight_decay": 1e-3, "l2_feature": False}
        | {"batch_size": 512, "labeled_batch_size": 256, "weight": 1.0, "average": False},
    ),
    "s4l-exemplar": Entry(
        "labelprop.training.recipes:s4l_exemplar",
        "The labels, and which views are of the same example (Zhai et al. 2019).",
        {"lr": 0.1, "weight_decay": 1e-3, "l2_feature": False}
        | {"batch_size": 512, "labeled_batch_size": 256, "copies": 8, "view": "weak", "dim": 1000, "weight": 1.0},
    ),
    "dct": Entry(
        "labelprop.training.recipes:dct",
        "Two networks that agree, and are kept from erring alike by misleading examples (Qiao et al. 2018).",
        {"lr": 0.1, "weight_decay": 1e-4, "l2_feature": False}
        | {"batch_size": 108, "labeled_batch_size": 16, "agreement": 10.0, "difference": 0.5}
        | {"ramp_share": 0.133, "epsilon": 0.08},
    ),
    "tdcnn": Entry(
        "labelprop.training.recipes:tdcnn",
        "The network's guesses, trusted where its features are dense (Shi et al. 2018); experimental, reconstructed.",
        {"lr": 0.05, "weight_decay": 2e-4, "l2_feature": False}
        | {"batch_size": 100, "labeled_batch_size": 50, "n_neighbors": 10}
        | {"quantile": 1.0, "margin": 1.0, "weight": 1.0},
    ),
}
