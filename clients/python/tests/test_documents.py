"""The examples in Python on the pages for users work."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
DOCS = HERE.parent.parent / "docs"


def test_the_examples_on_the_pages_work(url, tmp_path):
    pages = [HERE / "README.md", DOCS / "guides" / "clients.md", *sorted((DOCS / "migrate").glob("*.md"))]
    assert len(pages) >= 8
    for page in pages:
        shutil.copy(page, tmp_path / page.name)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--markdown-docs", "-m", "markdown-docs", str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "GORILLA_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert " passed" in run.stdout
