"""An artifact is there whole or not at all, and a changed byte is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from zetaroute.errors import ArtifactError
from zetaroute.registry import ARRAYS, COLD, MANIFEST, VOCABULARY, Registry, pack, unpack

FILES = {ARRAYS: pack({"a": np.arange(6.0)}), VOCABULARY: b'["x", "y"]'}


@pytest.fixture
def registry(tmp_path) -> Registry:
    return Registry(tmp_path / "artifacts")


def test_published_version_is_loaded_as_it_was(registry):
    version = registry.publish({"parent": COLD, "models": ["m"]}, FILES)
    artifact = registry.load(version)
    assert artifact.arrays["a"].tolist() == [0, 1, 2, 3, 4, 5]
    assert artifact.vocabulary == ("x", "y")
    assert artifact.manifest["parent"] == COLD
    assert version.startswith("v0001-")
    assert registry.publish({"parent": version}, FILES).startswith("v0002-")
    assert [path.name for path in registry.folder.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("name", [ARRAYS, VOCABULARY, MANIFEST])
def test_every_changed_byte_is_refused(registry, name):
    version = registry.publish({"parent": COLD}, FILES)
    path = registry.folder / version / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ArtifactError, match="was changed"):
        registry.verify(version)
    with pytest.raises(ArtifactError, match="was changed"):
        registry.load(version)


def test_missing_file_is_told(registry):
    version = registry.publish({"parent": COLD}, FILES)
    (registry.folder / version / ARRAYS).unlink()
    with pytest.raises(ArtifactError, match="no readable policy.npz"):
        registry.load(version)


def test_arrays_that_would_execute_or_are_not_finite_are_refused(registry):
    endless = registry.publish({"parent": COLD}, FILES | {ARRAYS: pack({"a": np.array([np.nan])})})
    with pytest.raises(ArtifactError, match="not finite"):
        registry.load(endless)
    pickled = registry.publish(
        {"parent": COLD}, FILES | {ARRAYS: pack({"a": np.array([{"an": "object"}], dtype=object)})}
    )
    with pytest.raises(ArtifactError, match="cannot be read"):
        registry.load(pickled)


def test_current_moves_in_one_step(registry):
    assert registry.current() == COLD
    version = registry.publish({"parent": COLD}, FILES)
    registry.make_current(version)
    assert registry.current() == version
    registry.make_current(COLD)
    assert registry.current() == COLD
    with pytest.raises(ArtifactError):
        registry.make_current("v0099-000000000000")


def test_versions_are_found_by_number(registry):
    version = registry.publish({"parent": COLD}, FILES)
    for name in (version, "1", "v1", "v0001"):
        assert registry.find(name) == version
    assert registry.find("0") == COLD
    with pytest.raises(ArtifactError, match=f"there are v0000, {version}"):
        registry.find("7")


@pytest.mark.parametrize("name", ["²", "v①", "٣", "v" + "1" * 5000, "\udcff", "", "v", "1\n"])
def test_odd_digits_and_bytes_name_no_version(registry, name):
    registry.publish({"parent": COLD}, FILES)
    with pytest.raises(ArtifactError, match="there is no policy version"):
        registry.find(name)


def test_manifest_of_a_newer_version_is_refused(registry):
    version = registry.publish({"schema_version": 2, "parent": COLD}, FILES)
    stored = json.loads((registry.folder / version / MANIFEST).read_text())
    assert stored["schema_version"] == 2
    with pytest.raises(ArtifactError, match="newer zetaroute"):
        registry.load(version)


def test_arrays_with_a_damaged_bit_are_refused_as_a_value():
    whole = pack({"name": np.array("word"), "a": np.arange(6.0)})
    refused = 0
    for place in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        try:
            unpack(bytes(damaged))
        except ValueError:
            refused += 1
    assert refused > len(whole)
    for short in (b"", whole[:1], whole[: len(whole) // 2], whole[:-1]):
        with pytest.raises(ValueError, match="no file of arrays"):
            unpack(short)
