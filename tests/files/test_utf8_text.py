from __future__ import annotations

from pathlib import Path

import pytest

from zetaroute.files.utf8_text import read_text, text_of


def test_a_byte_order_mark_is_no_part_of_a_text(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"\xef\xbb\xbfa\r\nb\n")
    assert read_text(path) == "a\nb\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a = 1".encode("utf-16"), "UTF-16 text: save it as UTF-8"),
        (b"\xfe\xff\0a", "UTF-16 text: save it as UTF-8"),
        (b"caf\xe9", "not UTF-8 text: byte 4 is 0xe9"),
    ],
)
def test_other_encodings_are_told_in_words(content: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        text_of(content)
