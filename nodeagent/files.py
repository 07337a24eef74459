"""Files that are whole or not there, also after a power cut."""

import os
from pathlib import Path


def write_if_changed(path: Path, text: str) -> bool:
    """Makes folders as needed. Nothing is written where it would change nothing; says whether it was."""
    try:
        if path.read_text() == text:
            return False
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    # Hidden, and with no suffix that a reader of the folder would look for.
    part = path.with_name(f".{path.name}.part")
    with part.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    return True
