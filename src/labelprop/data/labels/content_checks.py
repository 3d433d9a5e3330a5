"""Checks of the examples themselves: ids, unreadable files, sizes, vectors, copies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from labelprop.core.files import Digest
from labelprop.core.text import counted, quoted
from labelprop.data.contents import TensorContent
from labelprop.data.files.skipped import by_reason
from labelprop.data.images.originals import PixelArray
from labelprop.data.images.pixel_file import over_rows
from labelprop.data.images.pixels import Header
from labelprop.data.labels.findings import Finding, blocking, note, warning
from labelprop.data.repeated import repeated_ids
from labelprop.data.samples import Samples
from labelprop.data.tables.vectors import float_blocks, scan

_SCALES_APART = 1_000  # times the median range, a dimension decides distances alone
_TINY = 4  # times smaller than usual
_LONG = 4  # times longer than the format


def check_ids(samples: Samples) -> Iterator[Finding]:
    """Ids that occur more than once."""
    repeated, where = repeated_ids(samples.ids, samples.rows.tolist(), samples.lines)
    if repeated:
        yield blocking(f"{where}. Make ids unique, or choose another column with --id-col.", repeated)


def check_skipped(samples: Samples) -> Iterator[Finding]:
    """What is left out, by reason; where nothing remains, that is blocking."""
    for kind, sentence, ids in by_reason(samples.skipped):
        if kind == "unreadable":
            yield warning(f"{sentence}; refused with --strict.", ids)
        else:
            yield note(f"{sentence}.", ids)
    if not len(samples):
        yield blocking("nothing can be read.")


def check_vectors(samples: Samples) -> Iterator[Finding]:
    """Rows that are not finite or zero; dimensions that never change or dominate."""
    content = samples.content
    if samples.modality != "vector" or not isinstance(content, TensorContent):
        return
    result = scan(content)
    bad = [samples.ids[row] for row in result.bad_rows]
    if bad:
        yield blocking(
            f"NaN or infinite numbers in {counted(len(bad), 'row')}: {quoted(bad)}. Remove or repair these rows.", bad
        )
    zero = [samples.ids[row] for row in result.zero_rows]
    if zero:
        yield warning(
            f"nothing but zeros in {counted(len(zero), 'row')}: {quoted(zero)}. "
            "They have no direction, hence no neighbors.",
            zero,
        )
    if len(bad) == len(samples):
        return
    spread = result.largest - result.smallest
    constant = np.flatnonzero(spread == 0)
    if len(constant) and len(samples) > 1:
        yield warning(
            f"{counted(len(constant), 'dimension')} of {len(spread):,} with one value throughout: "
            f"{quoted(constant, mark='')}."
        )
    varying = spread[spread > 0]
    if len(varying) > 1 and varying.max() > _SCALES_APART * np.median(varying):
        place = int(spread.argmax())
        yield note(
            f"dimension {place} ranges over more than {_SCALES_APART:,} times the usual: distances follow it alone. "
            "Scale the dimensions first where all of them matter."
        )


def headers_of(samples: Samples) -> list[Header]:
    """Of each image; none of other examples. That of one that was taken away meanwhile is 1x1."""
    originals = samples.originals
    if originals is None or not len(samples):
        return []
    if isinstance(originals, PixelArray):
        return [originals.header(int(samples.rows[0]))] * len(samples)
    found = over_rows(originals.header, samples.rows)
    return [header if isinstance(header, Header) else Header(1, 1, gray=False) for header in found]


def check_sizes(samples: Samples, headers: Sequence[Header]) -> Iterator[Finding]:
    """Images of which most is invented or cropped, to bring them to the size in which they are seen."""
    if samples.content is None or not headers:
        return
    height, width = samples.content.shape[1:]
    sizes = np.array([(header.width, header.height) for header in headers])
    short, scales = sizes.min(axis=1), np.array([width, height]) / sizes
    usual = min(np.median(short), width, height)  # where all are small, enlarging them is no surprise
    for odd, what in (
        (_TINY * short < usual, f"enlarged more than {_TINY} times"),
        (scales.max(axis=1) > _LONG * scales.min(axis=1), f"of which the crop leaves less than 1/{_LONG}"),
    ):
        if odd.any():
            ids = [samples.ids[place] for place in np.flatnonzero(odd)]
            first = f"'{ids[0]}' is {'x'.join(map(str, sizes[odd][0]))}"
            yield warning(
                f"{counted(len(ids), 'image')} {what}, to be {width}x{height} pixels ({first}): {quoted(ids)}. "
                "Check that what they show survives it.",
                ids,
            )


def check_copies(samples: Samples, texts: tuple[str | None, ...]) -> Iterator[Finding]:
    """Groups of equal content; those with two labels in one group apart."""
    groups = defaultdict(list)
    for place, fingerprint in enumerate(_fingerprints(samples)):
        groups[fingerprint].append(place)
    copies = [places for places in groups.values() if len(places) > 1]
    if not copies:
        return
    examples = [samples.ids[place] for places in copies for place in places]
    first = quoted([samples.ids[place] for place in copies[0]], limit=3)
    yield warning(
        f"{len(examples):,} examples are copies of each other, in {counted(len(copies), 'group')}, "
        f"for instance {first}. "
        "Copies count several times, and one may carry the label of the other into a test.",
        examples,
    )
    torn = [places for places in copies if len({texts[place] for place in places} - {None}) > 1]
    if torn:
        shown = "; ".join(
            ", ".join(f"'{samples.ids[place]}' is '{texts[place]}'" for place in places if texts[place] is not None)
            for places in torn[:3]
        )
        yield warning(
            f"{counted(len(torn), 'group')} of copies with different labels: {shown}. Correct them.",
            [samples.ids[place] for places in torn for place in places],
        )


def _fingerprints(samples: Samples) -> Iterator[object]:
    if samples.originals is not None:
        fingerprint: Callable[[int], str] = samples.originals.fingerprint
        return (fingerprint(int(row)) for row in samples.rows)
    if samples.texts is not None:
        return iter(samples.texts)
    assert isinstance(samples.content, TensorContent)
    return (Digest(row.tobytes()).hex() for _, block in float_blocks(samples.content) for row in block)
