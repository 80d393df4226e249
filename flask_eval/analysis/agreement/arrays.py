"""Types of arrays, and sums over groups of positions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def sums_by(group: Ints, size: int, weights: Floats | Bools | None = None) -> Floats:
    """(size,) the sum of a number for each position over the positions of a group; without weights how many they are.

    Args:
        group: (n,) from 0, below `size`.
        size: how many groups there are.
        weights: (n,) the numbers.
    """
    return np.bincount(group, weights, size).astype(np.float64, copy=False)


def table_by(row: Ints, column: Ints, shape: tuple[int, int], weights: Floats | None = None) -> Floats:
    """The same for pairs of groups: (rows, columns) sums."""
    return sums_by(row * shape[1] + column, shape[0] * shape[1], weights).reshape(shape)


def compact(code: Ints, size: int) -> tuple[Ints, Ints]:
    """Codes without gaps, and which of the old ones they are.

    Args:
        code: (n,) from 0, below `size`.
        size: how many codes there may be.
    """
    if size > max(1 << 20, 8 * code.size):
        used, made = np.unique(code, return_inverse=True)
        return made.reshape(-1).astype(np.int64), used
    present = np.bincount(code, minlength=size) > 0
    return (np.cumsum(present) - 1)[code], np.flatnonzero(present)


def distinct(code: Ints, size: int) -> Ints:
    """Which codes occur, ascending.

    Args:
        code: (n,) from 0, below `size`.
        size: how many codes there may be.
    """
    if size > 16 * code.size:
        return np.unique(code)
    return np.flatnonzero(np.bincount(code, minlength=size))


def product(rows: Floats, matrix: Floats) -> Floats:
    """(A, W) the matrix product of (A, V) and (V, W); for few V without threads, which would only get in the way."""
    if matrix.shape[0] > 16:
        return np.asarray(rows @ matrix)
    made = np.zeros((rows.shape[0], matrix.shape[1]))
    for place, row in enumerate(matrix):
        made += rows[:, place, None] * row
    return made
