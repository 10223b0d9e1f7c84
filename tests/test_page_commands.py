"""What the tests of pages find wrong."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from styleexport.core.errors import StyleExportError
from tests.page_commands import blocks, calls, check_call, compare, run_page

PAGE = """\
# Title

```python title="made.py"
print("a file of 3 lines")
```

```bash
python made.py
```

```text
a file of 12 lines
```

<!-- not run: needs a phone -->

```bash
adb devices
styleexport bench artifact \\
    --runner android && styleexport report a.json -o a.html   # both
```
"""


def test_blocks_have_their_titles_and_reasons():
    found = blocks(PAGE)
    assert [(b.language, b.title, b.not_run) for b in found] == [
        ("python", "made.py", ""),
        ("bash", "", ""),
        ("text", "", ""),
        ("bash", "", "needs a phone"),
    ]
    assert [" ".join(call.split()) for call in calls(PAGE)] == [
        "styleexport bench artifact --runner android",
        "styleexport report a.json -o a.html # both",
    ]
    for call in calls(PAGE):
        check_call(call)
    assert all(b.not_run == "all of it" for b in blocks(f"<!-- not run: all of it -->\n{PAGE}"))


@pytest.mark.parametrize(
    "line",
    [
        "styleexport onnx --no-such-option",
        "styleexport onnx adain-lite left-over",
        "styleexport onnx --quantize int9",
        "styleexport onnx --size big",
        "styleexport harness sync artifact",
        "styleexport styles pack",
        "styleexport bench compare a.json --by colour",
    ],
)
def test_a_command_line_that_click_refuses(line):
    with pytest.raises((click.ClickException, StyleExportError, AssertionError)):
        check_call(line)


def test_a_page_is_run_and_compared(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_page(PAGE, monkeypatch)
    assert Path("made.py").exists()
    with pytest.raises(AssertionError, match="a file of 3 lines"):
        run_page(PAGE.replace("12 lines", "12 words"), monkeypatch)
    failing = "```bash\nstyleexport verify nowhere\n```\n"
    with pytest.raises(AssertionError, match="error: "):
        run_page(failing, monkeypatch)
    run_page(f"{failing}\n```text\nerror: …\n```\n", monkeypatch)


def test_what_may_differ_in_print():
    compare("…\nb 1.5 kB  -0.2 %\nc", "a\na\nb  27.0 kB   +1 %\nnote: the load average is 9\nc\n")
    compare("a\n…", "a")
    compare("path …/x: 1", "path /tmp/y/x: 2")
    for printed in ("a\nc", "b", "a\nb\nb"):
        with pytest.raises(AssertionError):
            compare("a\nb", printed)
