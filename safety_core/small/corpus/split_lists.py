"""The committed lists of the splits: salted hashes of ids, 8 to a line; training records are those of no list."""

from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path

from safety_core.errors import ConfigError
from safety_core.files import describe_read_error, read_text, write_text
from safety_core.small.corpus.hashing import LISTED_DIGITS, SALT, hash_id
from safety_core.small.corpus.records import Split

LISTED: tuple[Split, ...] = ("calibration", "development", "test")
"""Splits with a list."""

_PER_LINE = 8


def find_lists() -> Path:
    """Folder of the committed lists."""
    return Path(str(resources.files("safety_core.small.corpus"))) / "splits"


def read_lists(folder: Path | None = None) -> dict[str, Split]:
    """Map each listed hash to its split.

    Args:
        folder: folder of the lists; by default the committed ones.

    Raises:
        ConfigError: a list is missing or malformed, or a hash is listed twice.
    """
    found: dict[str, Split] = {}
    for split in LISTED:
        file = (folder or find_lists()) / f"{split}.txt"
        for line, text in enumerate(_read_lines(file), start=1):
            for entry in text.split() if not text.startswith("#") else ():
                if len(entry) != LISTED_DIGITS or not set(entry) <= set("0123456789abcdef"):
                    raise ConfigError(f"{file}:{line}: a hash of {LISTED_DIGITS} hexadecimal digits is needed")
                if entry in found:
                    raise ConfigError(f"{file}:{line}: the hash is listed already, as {found[entry]}")
                found[entry] = split
    return found


def _read_lines(file: Path) -> list[str]:
    try:
        return read_text(file).splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{file} {describe_read_error(exc)}") from exc


def write_lists(splits: Mapping[str, Split], folder: Path) -> None:
    """Write the lists of a mapping from ids to splits."""
    for split in LISTED:
        write_text(folder / f"{split}.txt", _format_list(split, (one for one in splits if splits[one] == split)))


def compare_lists(splits: Mapping[str, Split], listed: Mapping[str, Split]) -> list[str]:
    """Describe each difference between a mapping from ids to splits and the lists; empty if there is none."""
    hashes = {hash_id(one): split for one, split in splits.items() if split in LISTED}
    found: list[str] = []
    for split in LISTED:
        made = {one for one, its_split in hashes.items() if its_split == split}
        committed = {one for one, its_split in listed.items() if its_split == split}
        for number, text in ((len(made - committed), "not in its list"), (len(committed - made), "listed in vain")):
            if number:
                found.append(f"{split}: {number} ids {text}")
    return found


def _format_list(split: Split, ids: Iterable[str]) -> str:
    hashes = sorted(map(hash_id, ids))
    head = f"# {split}: {len(hashes)} ids, each as the first {LISTED_DIGITS} digits of its sha256 with salt {SALT}\n"
    lines = (" ".join(hashes[start : start + _PER_LINE]) for start in range(0, len(hashes), _PER_LINE))
    return head + "".join(f"{line}\n" for line in lines)
