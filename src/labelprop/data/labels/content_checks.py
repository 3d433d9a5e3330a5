"""Checks of the examples themselves: ids, unreadable files, sizes, vectors, copies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

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
_TINY = 4  # times smaller than the median
_LONG = 4  # times the usual ratio of the sides


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


def check_sizes(samples: Samples) -> Iterator[Finding]:
    """Images that are tiny or long beside the others: scaling invents, or cropping loses, most of them."""
    originals = samples.originals
    if originals is None or isinstance(originals, PixelArray) or not len(samples):
        return
    outcomes = list(over_rows(originals.header, samples.rows))
    sizes = np.array([(h.width, h.height) if isinstance(h, Header) else (1, 1) for h in outcomes])
    short, long = sizes.min(axis=1), sizes.max(axis=1)
    median, usual = np.median(short), np.median(long / short)
    odd = np.flatnonzero((short * _TINY < median) | (long / short > _LONG * usual))
    if len(odd):
        ids = [samples.ids[place] for place in odd]
        example = f"'{ids[0]}' is {sizes[odd[0]][0]}x{sizes[odd[0]][1]}"
        yield warning(
            f"{counted(len(ids), 'image')} of a size far from the others ({example}): {quoted(ids)}. "
            "Check that the content survives scaling and cropping.",
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
