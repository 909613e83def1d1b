"""The outline of the patient, which is called Body, is no vertebral body."""

from __future__ import annotations

import sys

import pytest

from dvhkit.cli.app import main


def test_the_outline_of_the_patient_makes_no_ctv(demo_case_dir, tmp_path, monkeypatch, capsys):
    words = ["ctv", "vertebra", str(demo_case_dir), "--gtv", "GTV", "--name", "CTV_x", "--out", str(tmp_path / "v.dcm")]
    monkeypatch.setattr(sys, "argv", ["dvhkit", *words])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2, capsys.readouterr().out
    assert not (tmp_path / "v.dcm").exists()
