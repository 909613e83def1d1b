"""The dose with its peaks and valleys as round as its voxels tell."""

from dvhkit.engine.kernels.compiled import kernel


@kernel
def round_peaks(dose, offsets, least, out):
    """Shift each voxel by what a chord between its neighbours lies off an arc through all three, along each axis.

    A chord of length h lies off an arc of half curvature c by c h^2 / 4 at most. The values at the centres are shifted
    by as much, so that the trilinear dose and this one hold the smooth dose between them; none falls below `least`.
    """
    nk, nj, ni = dose.shape
    for k in range(nk):
        before = offsets[k] - offsets[k - 1] if k > 0 else 1.0
        after = offsets[k + 1] - offsets[k] if k < nk - 1 else 1.0
        share = (before * before + after * after) / (8.0 * (before + after))
        across = 0 < k < nk - 1
        for j in range(nj):
            along = 0 < j < nj - 1
            for i in range(ni):
                here = dose[k, j, i]
                shift = 0.0
                if 0 < i < ni - 1:
                    shift += (dose[k, j, i + 1] - 2.0 * here + dose[k, j, i - 1]) / 8.0
                if along:
                    shift += (dose[k, j + 1, i] - 2.0 * here + dose[k, j - 1, i]) / 8.0
                if across:
                    shift += ((dose[k + 1, j, i] - here) / after - (here - dose[k - 1, j, i]) / before) * share
                out[k, j, i] = max(least, here - shift)
