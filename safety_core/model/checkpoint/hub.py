"""Downloads repositories of the Hugging Face hub to folders; the only module of the model that uses the network.

A repository at a fixed commit is downloaded once. Everything is then loaded from its folder, so a server starts without
a network.
"""

import json
from pathlib import Path

from huggingface_hub import hf_hub_download, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import HfHubHTTPError

from safety_core.errors import CheckpointError

_ERRORS: tuple[type[Exception], ...] = (
    OSError,
    ValueError,
    RuntimeError,  # files are fetched in threads; if one fails, the client is closed while the others still send
    *(base for base in HfHubHTTPError.__bases__ if issubclass(base, Exception)),
)
"""Errors of a download; the HTTP library, and so its errors, differ between versions of the hub's client."""

_SETTINGS = ("*.json", "*.jinja", "*.txt", "*.model")
"""Config, tokenizer and image processor: everything of a backbone except its weights."""

_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")
"""Files of tokenizers; each tokenizer has at least one of them."""

_WEIGHTS = ("*.safetensors",)
_SUBFOLDERS = ("*/*",)
"""Other formats and examples; a backbone's own files are at the top level."""


def resolve_commit(hub_id: str, revision: str | None = None) -> str:
    """Resolve a branch or tag to its current commit; without a network, to the last known one.

    Raises:
        CheckpointError: the repository does not exist, or cannot be reached and is not in the cache.
    """
    try:
        file = hf_hub_download(hub_id, "config.json", revision=revision)
    except _ERRORS as exc:
        raise CheckpointError(f"{hub_id} is neither a folder nor a reachable hub repository") from exc
    # The hub's cache has a folder per commit, named after it.
    return Path(file).parent.name


def fetch_settings(hub_id: str, commit: str) -> Path:
    """Return a folder with a repository's config, tokenizer and image processor; its weights may be missing.

    Raises:
        CheckpointError: they are neither in the cache nor downloadable.
    """
    return _find_local(hub_id, commit, _SETTINGS) or _download(hub_id, commit, _SETTINGS)


def fetch_repository(hub_id: str, commit: str) -> Path:
    """Return a folder with a repository's settings and weights; missing files are downloaded.

    Raises:
        CheckpointError: as :func:`fetch_settings`.
    """
    folder = _find_local(hub_id, commit, (*_SETTINGS, *_WEIGHTS))
    if folder is not None and _has_weights(folder):
        return folder
    # Small files first: if the weights are complete, nothing else is missing.
    _download(hub_id, commit, _SETTINGS)
    return _download(hub_id, commit, _WEIGHTS)


def fetch_config(hub_id: str, commit: str) -> Path:
    """Return a folder with a repository's ``config.json``; raises CheckpointError as :func:`fetch_settings`."""
    cached = try_to_load_from_cache(hub_id, "config.json", revision=commit)
    return Path(cached).parent if isinstance(cached, str) else fetch_settings(hub_id, commit)


def _find_local(hub_id: str, commit: str, patterns: tuple[str, ...]) -> Path | None:
    """Return the cached folder if the hub's client considers it complete, or has no list of files to compare."""
    if not isinstance(try_to_load_from_cache(hub_id, "config.json", revision=commit), str):
        return None
    try:
        folder = Path(
            snapshot_download(
                hub_id,
                revision=commit,
                allow_patterns=list(patterns),
                ignore_patterns=list(_SUBFOLDERS),
                local_files_only=True,
            )
        )
    except (OSError, ValueError):
        return None
    # Without a list of the repository's files, the client considers a folder with only the config complete.
    return folder if any((folder / name).is_file() for name in _TOKENIZERS) else None


def _download(hub_id: str, commit: str, patterns: tuple[str, ...]) -> Path:
    try:
        return Path(
            snapshot_download(hub_id, revision=commit, allow_patterns=list(patterns), ignore_patterns=list(_SUBFOLDERS))
        )
    except _ERRORS as exc:
        raise CheckpointError(
            f"{hub_id} at {commit} is not on this machine, and the hub cannot be reached ({type(exc).__name__})"
        ) from exc


def _has_weights(folder: Path) -> bool:
    """Whether a folder has all of its weight files."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return (folder / "model.safetensors").is_file()
    try:
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        return all((folder / name).is_file() for name in names)
    except (OSError, ValueError, LookupError, AttributeError, TypeError):
        return True  # a download would not help; loading reports what is wrong
