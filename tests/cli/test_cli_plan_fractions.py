"""Fractions behind a plan's name: a number that cannot be is refused, and a name with an @ of its own is a name."""

from __future__ import annotations

from pathlib import Path

import pytest

from dvhkit.cli.plans import plan_parts
from dvhkit.errors import InputError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "plan").mkdir()
    (tmp_path / "me@home").mkdir()
    return tmp_path


@pytest.mark.parametrize(("said", "planned", "delivered"), [("", None, None), ("@25", 25, None), ("@20/25", 25, 20)])
def test_fractions_are_read(folder, said, planned, delivered):
    assert plan_parts(f"{folder / 'plan'}{said}") == (folder / "plan", planned, delivered)


@pytest.mark.parametrize("said", ["0", "-1", "2.5", "99999999", "x", "", "5/0", "/5"])
def test_what_is_no_number_of_fractions_is_refused_by_name(folder, said):
    with pytest.raises(InputError, match="is no number of fractions") as refused:
        plan_parts(f"{folder / 'plan'}@{said}")
    assert "PLAN@PLANNED" in str(refused.value)


def test_a_name_with_an_at_of_its_own_is_a_name(folder):
    assert plan_parts(str(folder / "me@home")) == (folder / "me@home", None, None)
    assert plan_parts(str(folder / "me@home@5")) == (folder / "me@home", 5, None)
    assert plan_parts("nowhere@5x") == (Path("nowhere@5x"), None, None)
