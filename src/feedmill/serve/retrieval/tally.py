"""Adds up what several leads say about the same items."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from feedmill.domain.ids import UInt64s
from feedmill.serve.pipeline.readers import Int32s

Float64s = npt.NDArray[np.float64]


def tally(
    mentions: Int32s,  # int32 [m]: items, repeats allowed
    strengths: Float64s,  # float64 [m]
    leads: UInt64s,  # uint64 [m]: what led to each mention
) -> tuple[Int32s, Float64s, UInt64s]:
    """int32 [n], float64 [n], uint64 [n]: each item once, by total strength, with its strongest lead.

    Equal totals stand in the order of their ordinals; of equally strong leads the one mentioned first counts.
    """
    items, item_of = np.unique(mentions, return_inverse=True)
    totals = np.bincount(item_of, weights=strengths, minlength=len(items)).astype(np.float64)
    strongest = np.zeros(len(items), np.uint64)
    # Backwards and by rising strength, so that what is written last, and stays, is the first of the strongest.
    rising = np.argsort(strengths[::-1], kind="stable")
    strongest[item_of[::-1][rising]] = leads[::-1][rising]
    order = np.lexsort((items, -totals))
    return items[order], totals[order], strongest[order]
