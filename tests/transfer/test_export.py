"""What an export looks like."""

from __future__ import annotations

import csv
import io

import pytest

from tests.log.test_log import feedback
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log
from zetaroute.transfer.export import export_lines


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(1)", "\t=1"])
def test_a_text_is_no_formula_in_a_spreadsheet(home, text):
    log = Log(home)
    log.append([Entry(feedback=(feedback("x", -0.5, comment=text, label="5 = 5"),))])
    (row,) = csv.DictReader(io.StringIO("".join(export_lines(log, form="csv"))))
    assert (row["comment"], row["label"], row["value"]) == (f"'{text}", "5 = 5", "-0.5")
