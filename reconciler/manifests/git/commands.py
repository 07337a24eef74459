"""The command lines, the configuration and the environment that git runs with. Pure.

Git sees no configuration but this: none of the user, the system or the repository that is fetched. No hook runs, no
filter (so LFS pointers stay pointers), no transport but those named, and nobody is asked for a password.
"""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from reconciler.manifests.git.settings import TRUNK, GitSettings, KeyScheme

FETCHED = "refs/wherry/fetched"
SHOWN = "refs/wherry/shown"
MOST_BYTES = 2 * 1024**3
"""Of any one file that git writes: a repository of manifests that is larger is not one."""

_NETWORK = ("https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY")
_HELPER = (
    '!f() { test "$1" = get && printf \'username=%s\\npassword=%s\\n\' "$WHERRY_GIT_USERNAME"'
    ' "$(head -n 1 "$WHERRY_GIT_PASSWORD_FILE")"; }; f'
)


class Command(msgspec.Struct, frozen=True):
    """What to run, and after how many seconds it has failed."""

    line: tuple[str, ...]
    seconds: float


def bounded(line: Sequence[str]) -> tuple[str, ...]:
    """The command, kept from filling the disk with one file: it gets EFBIG. The shell counts blocks of 512 bytes."""
    return ("sh", "-c", f"trap '' XFSZ; ulimit -f {MOST_BYTES // 512}; exec \"$@\"", "sh", *line)


def initialise(repository: Path) -> Command:
    return Command(("git", "init", "--quiet", "--bare", "--template=", str(repository)), 60)


def ask(settings: GitSettings, location: str) -> Command:
    """Costs the remote a glance, and this machine's disk nothing."""
    asked = (settings.ref, f"{settings.ref}^{{}}") if settings.is_tag else (settings.ref,)
    return Command(("git", "ls-remote", "--symref", "--", location, *asked), 60)


def fetch(settings: GitSettings, repository: Path, location: str, *, shallow: bool) -> Command:
    """Of a bundle, which is all of its history in one file, nothing shallow can be had."""
    depth = ("--depth=1",) if shallow else ()
    options = (
        "--quiet",
        "--force",
        "--no-tags",
        "--no-recurse-submodules",
        "--no-write-fetch-head",
        "--update-shallow",
    )
    refspec = f"+{settings.ref}:{FETCHED}"
    return Command((*_in(repository), "fetch", *depth, *options, "--", location, refspec), 900)


def resolve(repository: Path, ref: str) -> Command:
    """Two lines: the object that the reference names, and its commit."""
    return Command((*_in(repository), "rev-parse", ref, f"{ref}^{{commit}}"), 30)


def check_out(repository: Path, commit: str, folder: Path) -> Command:
    return Command((*_in(repository), "worktree", "add", "--quiet", "--force", "--detach", str(folder), commit), 600)


def check_out_submodules(settings: GitSettings, folder: Path) -> Command:
    """Relative addresses of submodules count from that of the repository."""
    origin = f"remote.origin.url={settings.address.url}"
    update = ("submodule", "--quiet", "update", "--init", "--recursive", "--depth=1", "--jobs=1")
    return Command(("git", "-C", str(folder), "-c", origin, *update), 900)


def write_out(folder: Path) -> Command:
    """Power may fail right after the folder is shown; its files are on disk before."""
    return Command(("sync", "--file-system", str(folder)), 300)


def keep(repository: Path, object_: str) -> Command:
    return Command((*_in(repository), "update-ref", SHOWN, object_), 30)


def tidy(repository: Path) -> Command:
    return Command((*_in(repository), "gc", "--quiet", "--prune=now"), 900)


def import_keys(home: Path, keys_file: Path) -> Command:
    return Command(("gpg", "--homedir", str(home), "--batch", "--no-autostart", "--import", str(keys_file)), 30)


def verify(repository: Path, object_: str, *, is_tag: bool, scheme: KeyScheme, keys_file: Path) -> Command:
    """Only signatures of the scheme that the keys are of are looked at; the other programs are out of reach."""
    no_program = "/bin/false"
    if scheme == "ssh":
        only = [f"gpg.ssh.allowedSignersFile={keys_file}", f"gpg.program={no_program}", "gpg.minTrustLevel=fully"]
    else:
        only = [f"gpg.ssh.program={no_program}"]
    chosen = (option for one in (*only, f"gpg.x509.program={no_program}") for option in ("-c", one))
    verb = "verify-tag" if is_tag else "verify-commit"
    return Command((*_in(repository), *chosen, verb, "--raw", object_), 60)


def _in(repository: Path) -> tuple[str, str]:
    return "git", f"--git-dir={repository}"


def environment(settings: GitSettings, directory: Path, inherited: Mapping[str, str]) -> dict[str, str]:
    """All that git and its children see. Of what this process has, they get the path and the proxies."""
    found = {name: inherited[name] for name in _NETWORK if name in inherited}
    found |= {
        "PATH": inherited.get("PATH", "/usr/local/bin:/usr/bin:/bin"),
        "HOME": str(directory),
        "GNUPGHOME": str(directory / "gnupg"),
        "LC_ALL": "C",
        "GIT_CONFIG_GLOBAL": str(directory / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "/bin/false",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_ALLOW_PROTOCOL": _transports(settings),
        "GIT_SSH_VARIANT": "ssh",
        "GIT_SSH_COMMAND": shlex.join(_ssh(settings)),
    }
    if settings.login is not None:
        found["WHERRY_GIT_USERNAME"] = settings.login.username
        found["WHERRY_GIT_PASSWORD_FILE"] = str(settings.login.password_file)
    return found


def _transports(settings: GitSettings) -> str:
    """Of submodules, too. Files of this machine are within reach of a repository of this machine alone."""
    return "file:https:ssh" if settings.address.scheme == "file" else "https:ssh"


def _ssh(settings: GitSettings) -> tuple[str, ...]:
    key = settings.deploy_key
    options = [
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        f"UserKnownHostsFile={_quoted(key.known_hosts_file) if key else '/dev/null'}",
        "GlobalKnownHostsFile=/dev/null",
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        f"IdentityFile={_quoted(key.key_file) if key else 'none'}",
        "PasswordAuthentication=no",
        "ConnectTimeout=30",
        "ServerAliveInterval=15",
        "ServerAliveCountMax=4",
    ]
    return ("ssh", "-F", "/dev/null", *(part for option in options for part in ("-o", option)))


def _quoted(path: Path) -> str:
    """As ssh reads an option: words in quotes, and its own signs doubled."""
    return f'"{str(path).replace("%", "%%")}"'


def configuration(settings: GitSettings) -> str:
    """The file that stands for the user's own."""
    sections: dict[str, dict[str, str]] = {
        "advice": {"detachedHead": "false"},
        "core": {
            "hooksPath": "/dev/null",
            "attributesFile": "/dev/null",
            "excludesFile": "/dev/null",
            "logAllRefUpdates": "false",
            "fsync": "committed,loose-object",
        },
        "fetch": {"unpackLimit": "1"},  # one pack for each fetch: one file to be written to the card
        "gc": {"auto": "0"},
        "http": {"lowSpeedLimit": "100", "lowSpeedTime": "60"},
        "maintenance": {"auto": "false"},
        "pack": {"threads": "1", "windowMemory": "32m"},
        "safe": {"directory": "*"},  # a stick's files belong to whoever wrote them
        "submodule": {"recurse": "false"},
    }
    if settings.ca_file is not None:
        sections["http"]["sslCAInfo"] = str(settings.ca_file)
    if settings.login is not None:  # for this very server: no submodule and no redirection leads it elsewhere
        sections[f"credential {_text(f'https://{settings.address.host}')}"] = {"helper": _HELPER}
    return "".join(
        f"[{name}]\n{''.join(f'  {key} = {_text(value)}{chr(10)}' for key, value in values.items())}"
        for name, values in sections.items()
    )


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def shown_ref(settings: GitSettings, branch: str) -> str:
    """What the source follows, for people; `branch` is what the remote said its HEAD is."""
    return f"branch {branch}" if settings.ref == TRUNK and branch else settings.ref_name
