"""[privacy] and [[rules]]: defaults that protect, and what the config may change of them."""

from __future__ import annotations

import pytest

from zetaroute.config import DEFAULT_RULES, Privacy, Settings, TagRule, parse_settings

MODEL = '[[models]]\nid = "a/b"\nprovider = "practice"\nmodel = "small"\n'


def parsed(text: str) -> Settings:
    return parse_settings(MODEL + text, file=None)


def test_without_anything_texts_are_kept_and_private_means_local():
    assert parsed("").privacy == Privacy(store="full", detect=(), on_detect="private")
    assert parsed("").rules == DEFAULT_RULES == (TagRule(tag="private", require="local"),)


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ('[[rules]]\ntag = "hr"\nrequire = "eu"\n', {("hr", "eu"), ("private", "local")}),
        ('[[rules]]\ntag = "private"\nrequire = "eu"\n', {("private", "eu")}),
    ],
)
def test_the_built_in_rule_gives_way_only_to_one_for_its_tag(text, rules):
    assert {(rule.tag, rule.require) for rule in parsed(text).rules} == rules


def test_everything_said():
    text = '[privacy]\nstore = "features"\ndetect = ["personal", "personal"]\non_detect = "hr"\n'
    found = parsed(text + '[[rules]]\ntag = "hr"\nrequire = "eu"\n').privacy
    assert found == Privacy(store="features", detect=("personal",), on_detect="hr")
