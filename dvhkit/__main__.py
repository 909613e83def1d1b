"""`python -m dvhkit`: the command line, where the command itself is not on the path."""

from dvhkit.cli.app import main

main()
