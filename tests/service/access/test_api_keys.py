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
        ("keys: [", "^test:1: cannot be read as YAML$"),
        ("[]: 1", "^test:1: a field name must be a string$"),
        ("3", "^test:1: a mapping is needed$"),
        ("{}", "^test:1: keys: the field is missing$"),
        ("keys: 3", "^test:1: keys: a list is needed$"),
        ("\nkeys:\n- {name: a}", r"^test:3: keys\.0\.sha256: the field is missing$"),
        ("- {name: a}", r"^test:1: 0\.sha256: the field is missing$"),
        (f"- name: a\n  sha256: {'f' * 63}", r"^test:2: 0\.sha256: expected 64 lower-case hexadecimal digits$"),
        (
            f"- {{name: a, sha256: {compute_digest('')}}}",
            r"^test:1: 0\.sha256: this is the digest of the empty string$",
        ),
        (f"- {{name: 'a b', sha256: {'f' * 64}}}", r"^test:1: 0\.name: "),
        (
            f"- {{name: a, sha256: '{'0' * 64}',\n   scopes: [chat, root]}}",
            r"^test:2: 0\.scopes\.1: must be one of \['chat', 'classify', 'metrics'\]$",
        ),
        (f"- {{name: a, sha256: '{'0' * 64}',\n   max_concurrent: 0}}", r"^test:2: 0\.max_concurrent: .* at least 1 "),
        (f"- {{name: a, sha256: '{'0' * 64}', admin: true}}", r"^test:1: 0\.admin: unknown field$"),
        (f"- {{name: a, sha256: '{'0' * 64}'}}\n- {{name: a, sha256: '{'1' * 64}'}}", "^test: two keys .* same name$"),
        (
            f"- {{name: a, sha256: '{'0' * 64}'}}\n- {{name: b, sha256: '{'0' * 64}'}}",
            "^test: two keys .* same sha256$",
        ),
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
