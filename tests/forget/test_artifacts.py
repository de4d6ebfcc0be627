"""Words leave an artifact without its version becoming another, whenever the writing is interrupted."""

from __future__ import annotations

import json

import pytest

from zetaroute.errors import ArtifactError
from zetaroute.forget.artifacts import orphaned, redact, without_words, words_of
from zetaroute.registry import AMENDED, MANIFEST, VOCABULARY, Registry

GONE = {"krakowiak", "krakowiak lives"}


@pytest.fixture
def registry(tmp_path) -> Registry:
    return Registry(tmp_path / "artifacts")


@pytest.fixture
def version(registry) -> str:
    result = {"reasons": [], "segments": [{"name": "sorting", "terms": ["krakowiak", "sort"]}]}
    return registry.publish(
        {"segments": [["krakowiak", "sort"], ["date"]], "created": "now"},
        {
            VOCABULARY: json.dumps(["sort", "krakowiak", "krakowiak lives", "date"]).encode(),
            "kpi.json": json.dumps(result).encode(),
            "policy.npz": b"arrays",
        },
    )


def test_only_terms_that_no_remaining_text_has_are_gone():
    held = {"krakowiak", "lives", "lives in", "elsewhere"}
    assert orphaned(["Krakowiak lives in Ulm"], ["who lives in Bonn"], held) == {"krakowiak"}
    assert orphaned(["Krakowiak lives in Ulm"], [], held) == {"krakowiak", "lives", "lives in"}
    assert orphaned([], ["anything"], held) == set()


def test_words_are_blotted_out_of_sentences():
    assert without_words("harm in Krakowiak, date: (krakowiaks stay)", GONE) == (
        "harm in ..., date: (krakowiaks stay)"
    )


def test_a_term_leaves_and_the_rows_of_weights_stay(registry, version):
    assert words_of(registry, ["A reason"]) >= {"krakowiak", "krakowiak lives", "sort", "a", "reason"}
    assert redact(registry, version, {"krakowiak lives"})
    registry.verify(version)
    words = json.loads(registry.read(version, VOCABULARY))
    assert words == ["sort", "krakowiak", "\0" + "2", "date"]
    assert registry.manifest(version)["segments"] == [["krakowiak", "sort"], ["date"]]
    assert not redact(registry, version, {"krakowiak lives"})
    assert registry.read(version, "policy.npz") == b"arrays"


def test_a_version_is_whole_at_every_step_of_its_change(registry, version):
    folder = registry.folder / version
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    registry.amend(
        version, {**registry.manifest(version), "segments": [["date"]]}, {VOCABULARY: b'["\\u0000"]'}
    )
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    for done in range(4):
        state = dict(before)
        for name in (AMENDED, VOCABULARY, MANIFEST)[:done]:
            state[name] = after[name]
        for path in folder.iterdir():
            path.unlink()
        for name, content in state.items():
            (folder / name).write_bytes(content)
        registry.verify(version)


@pytest.mark.parametrize("name", [VOCABULARY, MANIFEST, "policy.npz"])
def test_a_changed_byte_is_refused_afterwards_too(registry, version, name):
    redact(registry, version, {"krakowiak lives"})
    path = registry.folder / version / name
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(ArtifactError, match="was changed"):
        registry.verify(version)


def test_a_damaged_version_is_left_as_it_is(registry, version):
    path = registry.folder / version / VOCABULARY
    path.write_bytes(b"[]")
    assert not redact(registry, version, GONE)
    assert path.read_bytes() == b"[]"
