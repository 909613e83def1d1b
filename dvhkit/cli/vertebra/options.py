"""Options that the commands on CTVs of bones share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

GtvOption = Annotated[str, typer.Option("--gtv", metavar="ROI", help="The GTV, by name or '#number'.")]
JsonOption = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE", help="Write the result as JSON to FILE, or - for standard output."),
]
NameOption = Annotated[str, typer.Option("--name", help="Name of the new structure.")]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE.dcm", help="Write the CTV as a new RTSTRUCT; the old one stays as it is."),
]
AddOption = Annotated[
    bool, typer.Option("--add", help="With --out: a copy of the whole structure set with the result added to it.")
]
CtvOption = Annotated[str, typer.Option("--ctv", metavar="ROI", help="The CTV to check, by name or '#number'.")]
