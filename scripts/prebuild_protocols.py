"""Write the prebuilt form of every shipped protocol: run after each change of a YAML file; a test holds them equal.

Usage: python scripts/prebuild_protocols.py
"""

from __future__ import annotations

from dvhkit.errors import ProtocolError
from dvhkit.protocols.files.load import shipped_paths
from dvhkit.protocols.files.prebuilt import prebuilt_path, prebuilt_text
from dvhkit.yaml_text import read_yaml


def main() -> None:
    for path in shipped_paths().values():
        kept = prebuilt_path(path)
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(prebuilt_text(read_yaml(path, error=ProtocolError)), encoding="utf-8")


if __name__ == "__main__":
    main()
