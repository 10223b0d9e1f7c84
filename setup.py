"""The description that a package index shows: README, with links that lead to the project."""

import re
from pathlib import Path

from setuptools import setup

FILES = "https://github.com/styleexport/styleexport/blob/main/"
PICTURES = "https://raw.githubusercontent.com/styleexport/styleexport/main/"
readme = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
pictures = re.sub(r"(!\[[^\]]*\]\()(?!https?:)", rf"\1{PICTURES}", readme)
setup(long_description=re.sub(r"(?<=\]\()(?!https?:|#)", FILES, pictures))
