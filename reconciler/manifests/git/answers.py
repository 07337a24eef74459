"""What git answered: the remote's references, who signed, and why something failed, in words for people. Pure."""

import re

import msgspec

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_MOST = 400
"""Characters of git's own words that are passed on."""


class Remote(msgspec.Struct, frozen=True):
    """Where the followed reference is. `object` is a tag's own where it is annotated, else the commit.

    `branch` is what the remote's HEAD leads to, where HEAD was asked for.
    """

    object: str
    commit: str
    branch: str = ""


class Trouble(msgspec.Struct, frozen=True):
    """Why something failed and what to do. `is_damage`: our own repository is broken, and to be made anew."""

    text: str
    is_damage: bool = False


def remote(output: str, ref: str) -> Remote | None:
    """What `ls-remote --symref` printed of the reference; None where there is no such one."""
    found: dict[str, str] = {}
    branch = ""
    for line in output.splitlines():
        value, _, name = line.partition("\t")
        if value.startswith("ref: refs/heads/") and name == ref:
            branch = value.removeprefix("ref: refs/heads/")
        elif _COMMIT.fullmatch(value):
            found[name] = value
    if ref not in found:
        return None
    return Remote(found[ref], found.get(f"{ref}^{{}}", found[ref]), branch)


def resolved(output: str) -> Remote | None:
    """What `rev-parse` printed of an object and its commit."""
    lines = output.split()
    if len(lines) != 2 or not all(map(_COMMIT.fullmatch, lines)):
        return None
    return Remote(lines[0], lines[1])


_SSH_GOOD = re.compile(r'Good "git" signature for (\S+) with (\S+) key (\S+)')
_GPG_GOOD = re.compile(r"^\[GNUPG:\] GOODSIG (\S+) (.*)$", re.MULTILINE)
_GPG_BAD = (
    (re.compile(r"^\[GNUPG:\] (?:ERRSIG|NO_PUBKEY) (\S+)", re.MULTILINE), "signed with key {}, which is not listed"),
    (re.compile(r"^\[GNUPG:\] EXPKEYSIG (\S+)", re.MULTILINE), "signed with key {}, which has expired"),
    (re.compile(r"^\[GNUPG:\] EXPSIG (\S+)", re.MULTILINE), "the signature of key {} has expired"),
    (re.compile(r"^\[GNUPG:\] REVKEYSIG (\S+)", re.MULTILINE), "signed with key {}, which was revoked"),
    (re.compile(r"^\[GNUPG:\] BADSIG (\S+)", re.MULTILINE), "the signature of key {} does not fit the content"),
    (re.compile(r'Good "git" signature with \S+ key (\S+)'), "signed with key {}, which is not listed"),
    (re.compile(r'Could not verify (signature)'), "the {} does not fit the content"),
)  # fmt: skip


def signer(errors: str) -> str:
    """Who signed, of a verification that succeeded; empty where it does not say so in so many words."""
    if found := _SSH_GOOD.search(errors):
        return f"{found[1]} ({found[3]})"
    if found := _GPG_GOOD.search(errors):
        return f"{found[2].strip()} ({found[1]})"
    return ""


_NOT_VERIFIED = re.compile(
    r"cannot run|exec: |not done within|No space left|Cannot allocate memory|Too many open files"
)


def was_not_verified(errors: str) -> bool:
    """Whether a verification failed for want of a program or of room, and says nothing of the signature."""
    return bool(_NOT_VERIFIED.search(errors))


def refusal(errors: str) -> str:
    """Why a signature does not count."""
    for pattern, words in _GPG_BAD:
        if found := pattern.search(errors):
            return words.format(found[1])
    return "it is not signed" if "no signature found" in errors else _said(errors) or "it is not signed"


_ADVICE = (
    ("exec: git", "install git (apt install git)"),
    ("exec: gpg", "install gpg (apt install gnupg)"),
    ("cannot run gpg", "install gpg (apt install gnupg)"),
    ("cannot run ssh", "install ssh (apt install openssh-client)"),
    ("No space left on device", "the disk is full: make room for the reconciler's data"),
    ("Disk quota exceeded", "the disk quota is used up: make room for the reconciler's data"),
    ("File too large", "it holds a file or history that is too large for manifests"),
    ("Read-only file system", "the disk cannot be written: check it"),
    ("Host key verification failed", "check the server's key and list it in `secret.knownHostsFile` (ssh-keyscan)"),
    ("UNPROTECTED PRIVATE KEY", "make `secret.sshKeyFile` readable to its owner alone (chmod 600)"),
    ("Load key", "`secret.sshKeyFile` cannot be used as a private key without a passphrase"),
    ("Permission denied (", "the server refuses the key: list the public half of `secret.sshKeyFile` as a deploy key"),
    ("Authentication failed", "the server refuses user name or password: check `secret.username` and `passwordFile`"),
    ("could not read Username", "the server asks for a password: give `secret: {username, passwordFile}`"),
    ("could not read Password", "the server asks for a password: give `secret: {username, passwordFile}`"),
    ("error: 403", "the server forbids it to this user: check its rights"),
    ("certificate", "the server's certificate is not trusted: give its authority as `caFile`"),
    ("CAfile", "`caFile` cannot be read as PEM certificates"),
    ("not allowed", "only https, ssh and, of a file source, file are let through, for submodules too"),
    ("Could not resolve host", "is the link up, and the host's name right?"),
    ("does not appear to be a git repository", "no repository is there: check the URL"),
    ("not found", "no repository is there, or it is not for this user: check the URL and `secret`"),
    ("dumb http transport", "the server does not speak git's smart protocol: set it up with `git http-backend`"),
)
_DAMAGE = re.compile(
    r"object file .* is empty|loose object .* is corrupt|unable to read (?:tree|sha1|[0-9a-f]{40})|bad object|"
    r"invalid object|missing (?:blob|tree|commit|object)|not a valid object|packfile .* (?:is|cannot|does)|"
    r"bad pack|index file corrupt|not a git repository: '|unable to parse object|inflate: data stream error|"
    r"(?:remote|pack) did not send all necessary objects|bad signature 0x|shallow file"
)
_VARIES = re.compile(r" after \d+ ms\b|\s+\(\d+ bytes?\)")


def trouble(what: str, errors: str) -> Trouble:
    """Why a command failed that was to do `what`, from what it wrote to standard error."""
    said = _said(errors) or "git did not say why"
    own = "\n".join(line for line in errors.splitlines() if not line.startswith("remote:"))
    advice = next((advice for sign, advice in _ADVICE if sign in errors), "")
    return Trouble(f"{what}: {said}{f'; {advice}' if advice else ''}", bool(_DAMAGE.search(own)))


def _said(errors: str) -> str:
    """The line that tells most: the first `fatal:` or `error:`, else the last one; the server's own words before."""
    lines = [" ".join(line.split()) for line in errors.splitlines() if line.strip()]
    server = [line.removeprefix("remote:").strip() for line in lines if line.startswith("remote:")]
    told = [line for line in lines if line.startswith(("fatal:", "error:"))]
    own = [
        line
        for line in lines
        if line.startswith(("ssh:", "Host key", "Load key", "No ECDSA")) or "Permission denied" in line
    ]
    chosen = [*own[:1], *filter(None, server[:1]), *(told[:1] or lines[-1:])]
    text = "; ".join(dict.fromkeys(re.sub(r"^(?:fatal|error): ", "", line) for line in chosen))
    return _VARIES.sub("", "".join(character if character.isprintable() else "?" for character in text))[:_MOST]


def missing(ref_name: str) -> str:
    """The remote answered, and does not have what is followed."""
    if ref_name == "HEAD":
        return "the repository has no commit yet, or its HEAD leads nowhere: push one, or name a branch"
    return f"the repository has no {ref_name}: push it, or name another; what it held last stays"


def no_folder(path: str, commit: str) -> str:
    """The folder of manifests is not in a commit."""
    return f"there is no folder {path} in commit {commit[:12]}: nothing is deleted; put it back, or change `path`"
