from __future__ import annotations

import subprocess
from pathlib import Path

from styleexport.core.build import commit


def test_the_commit_is_that_of_the_packages_own_checkout(tmp_path: Path):
    def git(*words: str) -> str:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        done = subprocess.run(
            ["git", "-C", str(tmp_path), *who, *words], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    (tmp_path / "package").mkdir()
    (file := tmp_path / "package" / "__init__.py").write_text("")
    git("init", "-q")
    assert commit(file.parent) is None
    git("add", ".")
    git("commit", "-qm", "one")
    assert commit(file.parent) == git("rev-parse", "HEAD")
    file.write_text("changed = 1\n")
    assert commit(file.parent) == f"{git('rev-parse', 'HEAD')}-dirty"
