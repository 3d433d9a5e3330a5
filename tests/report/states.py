"""One made-up run for every state of the page."""

from __future__ import annotations

from report.synthetic import Spec

HOSTILE = (
    "<script>window.ran=1</script>",
    '"><img src=x onerror="window.ran=2">',
    'it\'s "quoted", with a comma',
    "\u202egnp.exe\u202c",
    "new\nline",
    "</script><b>bold",
    "&amp; {{ 7 * 7 }} ${1}",
    "w" * 120,
    " ",
    "日本語のクラス",
)
SPECIES = tuple(f"species {k}" for k in range(15))
CATEGORIES = tuple(f"category {k:03d}" for k in range(120))

STATES = {
    "truth": Spec(n=600, given=10, test=200),
    "no_truth": Spec(n=300, given=5, truth=0),
    "some_truth": Spec(n=300, given=5, truth=0.4),
    "unreached": Spec(n=300, kind="vector", verb="propagate", classes=tuple("abcd"), unreached=20),
    "text": Spec(n=200, kind="text", classes=("sports", "politics", "science and technology")),
    "vectors_no_truth": Spec(n=200, kind="vector", classes=("yes", "no"), truth=0),
    "no_error": Spec(n=300, errors=0),
    "all_wrong": Spec(n=100, errors=1),
    "weak": Spec(n=300, kind="color", errors=0.72, certainty_helps=False),
    "test_only": Spec(n=200, truth=0, test=200),
    "nothing_to_check": Spec(n=120, certainty=1.0, truth=0),
    "nothing_to_check_truth": Spec(n=120, certainty=1.0),
    "all_given": Spec(n=30, given=3),
    "all_given_test": Spec(n=30, given=3, test=200),
    "one_class": Spec(n=80, classes=("cat",), truth=0, baseline_errors=None),
    "one_class_truth": Spec(n=80, classes=("cat",), baseline_errors=0),
    "classes_15": Spec(n=300, classes=SPECIES),
    "classes_120": Spec(n=1500, classes=CATEGORIES, given=2, errors=0.1),
    "many_rows": Spec(n=400, shown=300, skipped=2),
    "worse_than_labels_only": Spec(n=300, baseline_errors=1),
    "propagated": Spec(n=400, kind="vector", verb="propagate", given=5),
    "propagated_worse": Spec(n=400, kind="vector", verb="propagate", given=5, baseline_errors=4),
    "propagated_no_truth": Spec(n=300, kind="text", verb="propagate", given=5, truth=0, hidden=(41, 46, 37)),
    "propagated_one_label": Spec(n=200, kind="vector", verb="propagate", given=1, truth=0),
    "propagated_alone": Spec(n=200, kind="vector", verb="propagate", compared=False),
    "no_baseline": Spec(n=300, baseline_errors=None),
    "analyses": Spec(n=600, given=10, analyses=True),
    "analyses_text": Spec(
        n=200, kind="text", classes=("sports", "politics", "science and technology"), analyses=True
    ),
    "analyses_15": Spec(n=300, classes=SPECIES, analyses=True),
    "analyses_120": Spec(n=1500, classes=CATEGORIES, given=2, errors=0.1, analyses=True),
    "analyses_one_class": Spec(n=80, classes=("cat",), baseline_errors=0, analyses=True),
    "hostile": Spec(n=300, classes=HOSTILE, analyses=True, ids=tuple(f"{name}{k}" for k, name in enumerate(HOSTILE))),
}
