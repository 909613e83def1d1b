"""`python -m dvhkit`: the command line, where the command itself is not on the path."""

from dvhkit.cli.app import main

if __name__ == "__main__":
    main()
