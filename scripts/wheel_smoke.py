"""Install the built wheel into a clean environment outside the checkout, and audit the shipped plan with it.

`make wheel` runs this after `python -m build`; exit code 0 says that the wheel holds all it needs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLAN = ROOT / "test_data" / "liver_sbrt"
# The demo fails one rule on purpose.
EXPECTED = 1


def smoke(wheel: Path, folder: Path) -> int:
    """Return 0 if the wheel installs and audits; what went wrong is printed by the programs themselves."""
    venv.create(folder / "env", with_pip=True)
    tools = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
    pip = [tools / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check", wheel]
    subprocess.run(pip, check=True)
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {
        "NUMBA_CACHE_DIR": str(folder / "kernels")
    }
    command = [tools / "dvhkit", "audit", PLAN, "--protocol", "oligoprogressive-liver-2025", "--out", folder / "out"]
    command += ["--context", ROOT / "test_data" / "liver_sbrt_context.yaml"]
    code = subprocess.run(command, cwd=folder, env=clean, check=False).returncode
    made = all((folder / "out" / name).is_file() for name in ("report.html", "audit.json", "summary.csv"))
    print(f"{wheel.name}: audit ended with {code}, {'all' if made else 'not all'} outputs written")
    return 0 if code == EXPECTED and made else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", type=Path, nargs="?", help="the newest in dist/ where none is named")
    named = parser.parse_args().wheel
    wheels = sorted((ROOT / "dist").glob("dvhkit-*.whl"), key=lambda path: path.stat().st_mtime)
    if named is None and not wheels:
        print("There is no wheel in dist/; `make wheel` builds it.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        return smoke((named or wheels[-1]).resolve(), Path(folder))


if __name__ == "__main__":
    raise SystemExit(main())
