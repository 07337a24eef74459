"""Files of variables that `fileKeyRef` reads: what a container before has written for those after it. Pure.

The form is a part of what a POSIX shell reads, as Kubernetes has it since 1.35
(https://kubernetes.io/docs/tasks/inject-data-application/define-environment-variable-via-file): each variable is
`NAME='text'`, and what is between the quotes counts as it is, over several lines, too. Blank lines, those that begin
with `#` and blanks before a name are passed over.
"""

import re

_VARIABLE = re.compile(r"[ \t]*([A-Za-z_][A-Za-z0-9_]*)='([^']*)'[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_PASSED_OVER = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
MAX_BYTES = 64 * 1024


def parse(text: str) -> dict[str, str]:
    """Raises `ValueError` naming the line that is something else."""
    found: dict[str, str] = {}
    at = 0
    text = text.replace("\r\n", "\n")
    while at < len(text):
        match = _VARIABLE.match(text, at)
        if match is not None:
            found[match[1]] = match[2]
        else:
            match = _PASSED_OVER.match(text, at)
        if match is None:
            raise ValueError(f"invalid environment variable format at line {text.count(chr(10), 0, at) + 1}")
        at = match.end()
    return found
