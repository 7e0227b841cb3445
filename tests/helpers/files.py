"""Atomic replacement of files that a running server watches."""

import os
from pathlib import Path


def replace_file(file: Path, content: str | bytes) -> None:
    """Change a file that a server watches as one step: written in place, it would be empty for a moment."""
    new = file.with_name(f"{file.name}.new")
    new.write_bytes(content if isinstance(content, bytes) else content.encode())
    os.replace(new, file)
