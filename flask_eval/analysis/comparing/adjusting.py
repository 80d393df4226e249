"""P values of a family of tests, corrected for their number."""

from __future__ import annotations

import numpy as np

from flask_eval.analysis.coding import Floats
from flask_eval.errors import UserError, nearest

HOLM, BH = "holm", "bh"


def check_adjust(adjust: str) -> None:
    """Refuse a correction that is not known.

    Raises:
        UserError: it is neither `holm` nor `bh`.
    """
    if adjust not in (HOLM, BH):
        raise UserError(f"--adjust {adjust}: must be holm or bh{nearest(adjust, [HOLM, BH])}")


def adjusted(p: Floats, adjust: str) -> Floats:
    """Adjusted p values (q): those at most alpha are significant at alpha over the whole family.

    Args:
        p: one a test; NaN (no test was possible) stays NaN and does not count.
        adjust: `holm` (no false difference at all, with probability 1 - alpha, whatever the dependence; Holm 1979, Scand. J.
            Statist. 6:65-70) or `bh` (of those called different at most the share alpha falsely; Benjamini and Hochberg 1995,
            J. R. Statist. Soc. B 57:289-300).
    """
    found = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    if not known.size:
        return found
    order = known[np.argsort(p[known], kind="stable")]
    place = np.arange(1, order.size + 1)
    if adjust == HOLM:
        made = np.maximum.accumulate(p[order] * (order.size + 1 - place))
    else:
        made = np.minimum.accumulate((p[order] * order.size / place)[::-1])[::-1]
    found[order] = np.minimum(made, 1.0)
    return found
