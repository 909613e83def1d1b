"""numba only: plain arrays in, plain arrays out. No kernel file imports another, or anything of dvhkit.

numba keeps compiled code by the file of the kernel that was called: a change in another file that it imports would go
unnoticed, and old numbers would stay. So what a kernel calls stands in its own file, however long that gets.
"""
