"""Layers of one solid added to those of another: what readings of the same contours share."""

from dvhkit.engine.kernels.compiled import kernel


@kernel
def add_layers(source, target, begin, stop, empties):
    """Add what fills the layers ``begin:stop`` of `source` to those of `target`; `empties`: and leave the former empty.

    Both are `Layers` of the same slots, rows and columns.
    """
    slots, n_rows, n_columns = source.part.shape
    for index in range(begin, stop):
        slot = index % slots
        for row in range(n_rows):
            first = source.span[slot, row, 0]
            last = source.span[slot, row, 1]
            if last < 0:
                continue
            target.span[slot, row, 0] = min(target.span[slot, row, 0], first)
            target.span[slot, row, 1] = max(target.span[slot, row, 1], last)
            for column in range(first, last + 1):
                if source.part[slot, row, column] != 0.0:
                    target.part[slot, row, column] += source.part[slot, row, column]
                    for a in range(3):
                        target.moment[slot, row, column, a] += source.moment[slot, row, column, a]
                        if empties:
                            source.moment[slot, row, column, a] = 0.0
                    if empties:
                        source.part[slot, row, column] = 0.0
            for column in range(first, last + 2):
                for a in range(2):
                    target.run[slot, row, column, a] += source.run[slot, row, column, a]
                    if empties:
                        source.run[slot, row, column, a] = 0.0
            if empties:
                source.span[slot, row, 0] = n_columns
                source.span[slot, row, 1] = -1
