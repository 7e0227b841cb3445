"""API keys: only their digests are stored, and a broken file is rejected."""

from pathlib import Path

import pytest

from safety_core.errors import ConfigError
from service.access.api_keys import (
    ApiKey,
    KeySet,
    Scope,
    compute_digest,
    format_key_entry,
    generate_key,
    parse_keys,
    read_keys,
)


def key(name: str = "a", secret: str = "s", **fields: object) -> ApiKey:
    return ApiKey.model_validate({"name": name, "sha256": compute_digest(secret), **fields})


def test_a_key_is_found_by_what_was_presented_and_by_nothing_else() -> None:
    keys = KeySet((key("a", "one"), key("b", "two")))
    found = keys.find("two")
    assert found is not None
    assert found.name == "b"
    for wrong in ("", "three", compute_digest("two"), "\udc80"):
        assert keys.find(wrong) is None


def test_a_new_key_works_from_the_entry_that_is_printed_for_it() -> None:
    secret = generate_key()
    entry = format_key_entry("shop", secret, [Scope.CLASSIFY])
    assert secret not in entry
    found = parse_keys(entry, "test").find(secret)
    assert found is not None
    assert (found.name, set(found.scopes)) == ("shop", {Scope.CLASSIFY})
    assert generate_key() != secret


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("keys: [", "YAML"),
        ("[]: 1", "the name of a field must be a word"),
        ("keys: 3", "keys"),
        ("- {name: a}", "sha256"),
        (f"- {{name: a, sha256: {'0' * 63}}}", "sha256"),
        (f"- {{name: a, sha256: {compute_digest('')}}}", "digest of the empty string"),
        (f"- {{name: 'a b', sha256: {'0' * 64}}}", "name"),
        (f"- {{name: a, sha256: '{'0' * 64}', scopes: [root]}}", "scopes"),
        (f"- {{name: a, sha256: '{'0' * 64}', admin: true}}", "admin"),
        (f"- {{name: a, sha256: '{'0' * 64}'}}\n- {{name: a, sha256: '{'1' * 64}'}}", "same name"),
        (f"- {{name: a, sha256: '{'0' * 64}'}}\n- {{name: b, sha256: '{'0' * 64}'}}", "same sha256"),
    ],
)
def test_a_broken_list_is_refused_and_says_where(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        parse_keys(text, "test")


def test_a_file_and_a_setting_add_up(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text(format_key_entry("a", "one", [Scope.CHAT]))
    both = read_keys(file, format_key_entry("b", "two", [Scope.CHAT]))
    assert [one.name for one in both.keys] == ["a", "b"]
    assert not read_keys(None, None)
    with pytest.raises(ConfigError, match="same name"):
        read_keys(file, format_key_entry("a", "two", [Scope.CHAT]))
    with pytest.raises(ConfigError, match="read"):
        read_keys(tmp_path / "none.yaml", None)
