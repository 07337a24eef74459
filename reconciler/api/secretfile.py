"""Files that only their owner may read: replaced as a whole, and written only where they change."""

import os
from pathlib import Path


def replace(path: Path, content: bytes) -> bool:
    """Brings the file to this content, durably and at mode 0600. Returns whether it had to be written."""
    if path.exists() and path.read_bytes() == content:
        path.chmod(0o600)
        return False
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    return True
