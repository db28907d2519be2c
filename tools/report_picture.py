"""A screenshot of a report for the READMEs: the top of its page, in headless Chromium.

Example: python tools/report_picture.py demo/report export/pictures/report.png
"""

import shutil
import subprocess
import sys
from pathlib import Path

SIZE = "1080,1480"


def main(report_folder: str, picture: str) -> None:
    chromium = shutil.which("chromium") or sys.exit("chromium is not here. Run: apt install chromium")
    page, out = Path(report_folder, "report.html").resolve(), Path(picture).resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={SIZE}"]
    subprocess.run([chromium, *flags, f"--screenshot={out}", page.as_uri()], check=True, capture_output=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
