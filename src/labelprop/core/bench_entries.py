"""Benches by name: where each is, and what it does; and what their settings mean."""

from __future__ import annotations

from labelprop.core.entry import Entry

BENCHES: dict[str, Entry] = {
    "table5": Entry(
        "labelprop.bench.table5:run",
        "Propagators on fixed embeddings of banking77 and fashion_mnist (Zhuang et al. 2019, Table 5).",
    ),
    "small": Entry(
        "labelprop.bench.small:run",
        "The two papers' systems on 10,000 images of fashion_mnist and cifar10, on a CPU.",
    ),
    "order": Entry(
        "labelprop.bench.order:run",
        "The two papers' systems in ten minutes: 3,000 images of mnist at 16 pixels, 5 labels a class.",
    ),
    "recipes": Entry(
        "labelprop.bench.recipes:run",
        "Every recipe with its defaults under one budget, on embeddings of banking77 and on fashion_mnist.",
    ),
}

BENCHES |= {
    f"paper-{name.replace('_', '-')}": Entry(
        f"labelprop.bench.paper_tables:{name}",
        f"Rows of the DLP paper's table on {printed}, with its network and schedule.",
    )
    for name, printed in (("cifar10", "CIFAR-10"), ("cifar100", "CIFAR-100"), ("mini_imagenet", "mini-ImageNet"))
} | {
    "paper-imagenet": Entry(
        "labelprop.bench.paper_tables:imagenet",
        "Rows of the LLP paper's tables on ImageNet, with their networks and schedules.",
    )
}

BENCH_SETTINGS: dict[str, str] = {
    "subsets": "Random subsets that figures are the mean of.",
    "splits": "How many draws of the labeled examples; none: the set's own number.",
    "sets": "Data sets, with commas; none: all.",
    "rows": "Lines of the tables, with commas; default all.",
    "scale": "How many times its passes a run has.",
    "precision": "Of the network's passes: auto, float32 or bf16.",
    "processes": "Trainings that run beside each other, each in a process with its share of the threads.",
    "epochs": "Epochs of the main phase; others keep their share.",
    "labels": "Labeled images in all, equally many a class.",
    "split": "Seed of the draw of labeled images and of the training.",
    "recipe": "Rows by name, with commas; none: all of the column.",
    "model": "Another network than the row's.",
    "percent": "Percent of the labels, p: 1, 3, 5 or 10.",
    "unlabeled_percent": "Percent of all images that are used, labeled ones among them, q: 30, 70 or 100.",
    "network": "resnet18 or resnet50.",
    "image_size": "Side at which images are kept; the network sees 7/8 of it.",
    "noise": "Draws of noise-contrastive estimation in the instance phase; none: the full softmax.",
}
