"""Files are known by their first bytes, options by their JSON."""

from __future__ import annotations

import hashlib

import pytest

from zetaroute.domain import Query
from zetaroute.errors import UsageError
from zetaroute.router.attachments import LARGEST, parse_options, read_attachment
from zetaroute.router.prepare import with_files


@pytest.mark.parametrize(
    ("content", "kind", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n\0", "image", "image/png"),
        (b"\xff\xd8\xff\xe0", "image", "image/jpeg"),
        (b"GIF89a\0", "image", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image", "image/webp"),
        (b"%PDF-1.7\n\0", "file", "application/pdf"),
        ("grün\n".encode(), "text", "text/plain"),
    ],
)
def test_a_file_is_known_by_its_first_bytes(tmp_path, content, kind, media_type):
    path = tmp_path / "file.exe"
    path.write_bytes(content)
    found = read_attachment(path)
    assert (found.kind, found.note.media_type, found.content) == (kind, media_type, content)
    assert (found.note.name, found.note.size) == ("file.exe", len(content))
    assert found.note.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot read"),
        (b"", "is empty"),
        (b"RIFF\0\0\0\0WAVE", "convert it"),
        (b"\xff\xfe", "convert it"),
        (b"a\0b", "convert it"),
        (b"a" * (LARGEST + 1), "larger than 20 MB"),
    ],
    ids=["absent", "empty", "sound", "no UTF-8", "NUL", "large"],
)
def test_a_file_of_no_use_is_named(tmp_path, content, words):
    path = tmp_path / "file.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match="file.txt") as caught:
        read_attachment(path)
    assert words in str(caught.value)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(UsageError, match="cannot read"):
        read_attachment(tmp_path)


def test_values_of_options_are_json_or_text():
    given = (
        "temperature=0.2",
        'stop=["a=b"]',
        "user=me",
        "flag=true",
        "none=null",
        "odd=NaN",
        "empty=",
        "n1=1",
    )
    assert parse_options(given) == {
        "temperature": 0.2,
        "stop": ["a=b"],
        "user": "me",
        "flag": True,
        "none": None,
        "odd": "NaN",
        "empty": "",
        "n1": 1,
    }


@pytest.mark.parametrize("pair", ["temperature", "=1", ""])
def test_an_option_of_no_use_is_named(pair):
    with pytest.raises(UsageError, match="must be key=value"):
        parse_options([pair])


@pytest.mark.parametrize("pair", ["stream=true", "messages=[]", "model=x"])
def test_an_option_that_is_set_anyway_is_named(pair):
    with pytest.raises(UsageError, match="is not yours to set"):
        with_files(Query(text="hello"), parse_options([pair]), (), None)
