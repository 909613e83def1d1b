"""numba only: plain arrays in, plain arrays out. No kernel file imports another, or anything of dvhkit."""
