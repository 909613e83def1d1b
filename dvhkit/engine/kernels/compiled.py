"""How kernels, and what they call, are compiled.

Who holds an array need not be counted where none is made or returned. Each view, and each array taken out of a tuple,
would cost two atomic counts: more than half of the time of a loop over cells.

`kernel`
    A way in from Python, kept on disk. It makes no array and returns none, nor calls what does.
`making_kernel`
    A way in that makes arrays to work in. What takes its time is left to helpers.
`helper`
    Called by kernels alone: needs no way in from Python, and is kept with those that call it. It makes no array either.
`inlined`
    The same, put where it is called: for a few operations in the innermost loops.
`maker`
    A helper that makes arrays.
`spliced`
    A maker that is called once: what it calls is then compiled into one function less.
"""

from numba import njit

_BELOW = {"nogil": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

kernel = njit(cache=True, nogil=True, _nrt=False)
making_kernel = njit(cache=True, nogil=True, _nrt=True)
helper = njit(_nrt=False, **_BELOW)
inlined = njit(_nrt=False, forceinline=True, **_BELOW)
# Said, since what is called is compiled like its caller where it says nothing.
maker = njit(_nrt=True, **_BELOW)
spliced = njit(_nrt=True, inline="always", **_BELOW)
