"""docs/repl.md is true: its sessions, replayed, give what it shows, within 80 columns."""

from __future__ import annotations

import io
import re
from pathlib import Path

from support.printed import rounded

from arcgrad.repl import PROMPT, run_repl
from arcgrad.repl.prompt import CONTINUED

PAGE = Path(__file__).parents[3] / "docs" / "repl.md"


def test_sessions_of_the_page() -> None:
    shown = "".join(re.findall(r"^```arcgrad\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE))
    lines = shown.splitlines(keepends=True)
    entered = [line.removeprefix(PROMPT).removeprefix(CONTINUED) for line in lines if line[:9] in (PROMPT, CONTINUED)]
    assert len(entered) > 20
    output = io.StringIO()
    run_repl(io.StringIO("".join(entered)), output)
    answers = output.getvalue().replace(CONTINUED, "").split(PROMPT)[1:-1]
    written = re.sub(rf"^{re.escape(CONTINUED)}.*\n", "", shown, flags=re.MULTILINE)
    expected = [answer.partition("\n")[2] for answer in written.split(PROMPT)[1:]]
    assert [rounded(answer) for answer in answers] == [rounded(answer) for answer in expected]
    assert max(len(line.rstrip("\n")) for line in lines) <= 80
