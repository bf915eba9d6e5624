"""The best assignment of rows to columns."""

from __future__ import annotations

import numpy as np


def best_assignment(scores: np.ndarray) -> list[tuple[int, int]]:
    """Pairs (row, column), each used at most once, with the largest sum of ``scores``; sorted by row.

    Every row, or every column where there are fewer, gets a partner. The Hungarian method with shortest augmenting
    paths (Jonker and Volgenant, Computing 1987); cubic in the number of rows and columns.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if scores.shape[0] > scores.shape[1]:
        return sorted((row, column) for column, row in best_assignment(scores.T))
    rows, columns = scores.shape
    cost = np.zeros((rows + 1, columns + 1))  # row and column 0 are outside: where searches begin
    cost[1:, 1:] = -scores
    row_price, column_price = np.zeros(rows + 1), np.zeros(columns + 1)
    owner = np.zeros(columns + 1, dtype=int)  # of each column, 0 for none
    for row in range(1, rows + 1):
        owner[0] = row
        column = 0
        distance = np.full(columns + 1, np.inf)
        previous = np.zeros(columns + 1, dtype=int)
        visited = np.zeros(columns + 1, dtype=bool)
        while owner[column]:
            visited[column] = True
            at = owner[column]
            reduced = cost[at] - row_price[at] - column_price
            shorter = ~visited & (reduced < distance)
            distance[shorter], previous[shorter] = reduced[shorter], column
            column = int(np.where(visited, np.inf, distance).argmin())
            step = distance[column]
            row_price[owner[visited]] += step
            column_price[visited] -= step
            distance[~visited] -= step
        while column:
            owner[column] = owner[previous[column]]
            column = previous[column]
    return sorted((int(owner[column]) - 1, column - 1) for column in range(1, columns + 1) if owner[column])
