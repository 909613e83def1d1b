"""Write phantoms with known DVHs as DICOM, each with its truth, to grade a planning system or this program.

Usage: python scripts/make_phantoms.py FOLDER [NAME ...]      without names: all of them (about 200 MB)
       python scripts/make_phantoms.py --list
"""

from __future__ import annotations

import argparse
from pathlib import Path

from dvhkit.phantoms.catalogue import phantom_titles, write_phantom


def main() -> None:
    parser = argparse.ArgumentParser(description="Write phantoms with known DVHs as DICOM.")
    parser.add_argument("folder", nargs="?", type=Path, help="where to write; a folder a phantom")
    parser.add_argument("names", nargs="*", help="which; without names all of them")
    parser.add_argument("--list", action="store_true", help="only show what there is")
    wish = parser.parse_args()
    if wish.list or wish.folder is None:
        for name, title in phantom_titles().items():
            print(f"{name:28} {title}")
        return
    for name in wish.names or phantom_titles():
        paths = write_phantom(wish.folder / name, name)
        print(f"{name}: {len(paths)} files in {wish.folder / name}")


if __name__ == "__main__":
    main()
