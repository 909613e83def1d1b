"""Make docs/img/report.png anew: the demo plan's report as a browser shows it, and what it was made from.

The picture cannot go stale unseen: beside it stands the digest of what the report says and how it looks, which a test
compares with today's.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts.report_digest import demo_report, report_digest  # noqa: E402

PICTURE = ROOT / "docs" / "img" / "report.png"
DIGEST = ROOT / "docs" / "img" / "report.sha256"
WINDOW = "1240,1700"


def main() -> None:
    """Write the picture and its digest."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("The pictures need Chromium on the path (Debian: apt-get install chromium).")
    html = demo_report()
    with tempfile.TemporaryDirectory() as folder:
        page, shot = Path(folder) / "report.html", Path(folder) / "report.png"
        page.write_text(html, encoding="utf-8")
        words = [browser, "--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={WINDOW}"]
        subprocess.run([*words, f"--screenshot={shot}", page.as_uri()], check=True, capture_output=True, timeout=180)
        shutil.move(shot, PICTURE)
    DIGEST.write_text(report_digest(html) + "\n", encoding="ascii")
    print(f"wrote {PICTURE.relative_to(ROOT)} and {DIGEST.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
