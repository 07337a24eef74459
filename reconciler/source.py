"""The part `source:` of the reconciler's configuration: where the manifests come from."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from reconciler.manifests.git.address import Address, address, check_name, check_path
from reconciler.manifests.git.settings import TRUNK, DeployKey, GitSettings, Login, key_scheme
from schemas.configuration import BadConfiguration, Section, content, convert


class GitSecret(Section, frozen=True, kw_only=True):
    """Of https a user name (servers that take a token mostly ignore it) and a password; of ssh a key."""

    username: str = "git"
    password_file: Path | None = None
    ssh_key_file: Path | None = None
    known_hosts_file: Path | None = None


class GitVerify(Section, frozen=True, kw_only=True):
    """Whose signatures count: ssh's `allowed_signers`, or GPG public keys."""

    keys_file: Path


class GitWebhook(Section, frozen=True, kw_only=True):
    """The secret that forge and reconciler share."""

    secret_file: Path


class Source(Section, frozen=True, kw_only=True):
    """Where the manifests come from: a folder, or a git repository that is followed."""

    folder: Path | None = None
    git: str | None = None
    branch: str | None = None
    tag: str | None = None
    path: str = ""
    interval: str | None = None
    submodules: bool = False
    secret: GitSecret | None = None
    ca_file: Path | None = None
    """Of the authority that signed the certificate of the https server; empty: the system's own."""
    verify: GitVerify | None = None
    webhook: GitWebhook | None = None
    field_validation: Literal["Strict", "Warn", "Ignore"] = "Strict"


_UNITS = {"s": 1, "m": 60, "h": 3600}
_LONGEST = 86_400
_INTERVAL = re.compile(r"([1-9]\d{0,5})([smh])")
_OF_GIT = ("branch", "tag", "path", "secret", "ca_file", "verify", "webhook", "submodules", "interval")


def git_settings(source: Source) -> GitSettings | None:
    """What the source says of a git repository; None where it names a folder. Raises `BadConfiguration`."""
    if (source.folder is None) == (source.git is None):
        raise BadConfiguration("source: give either `folder:` or `git:`")
    if source.git is None:
        for field in _OF_GIT:
            if getattr(source, field):
                raise BadConfiguration(f"source.{_camel(field)}: belongs to `git:`, and this source is a folder")
        return None
    try:
        place = address(source.git)
    except ValueError as error:
        raise BadConfiguration(f"source.git: {error}") from None
    login, key = _credentials(source.secret, place)
    if source.ca_file and place.scheme != "https":
        raise BadConfiguration("source.caFile: belongs to an https URL")
    return GitSettings(
        address=place,
        ref=_ref(source),
        path=_path(source.path),
        interval_seconds=_seconds(source.interval or "60s"),
        submodules=source.submodules,
        login=login,
        deploy_key=key,
        ca_file=source.ca_file.absolute() if source.ca_file else None,
        keys_file=source.verify.keys_file.absolute() if source.verify else None,
        webhook_secret_file=source.webhook.secret_file.absolute() if source.webhook else None,
    )


def read_source(settings: Mapping[str, Any], where: str) -> Source:
    """The part as it is written in a file. Raises `BadConfiguration` naming `where`."""
    return convert(where, {**settings}, Source)


def check_files(settings: GitSettings) -> None:
    """Raises `BadConfiguration` where a file that the source names cannot be what it is named as."""
    if settings.webhook_secret_file and not content("source.webhook.secretFile", settings.webhook_secret_file).strip():
        raise BadConfiguration(f"source.webhook.secretFile: {settings.webhook_secret_file} is empty")
    if settings.login:
        content("source.secret.passwordFile", settings.login.password_file)
    if settings.ca_file and "BEGIN CERTIFICATE" not in content("source.caFile", settings.ca_file):
        raise BadConfiguration(f"source.caFile: {settings.ca_file} holds no certificate: expected PEM")
    if settings.deploy_key:
        content("source.secret.sshKeyFile", settings.deploy_key.key_file)
        content("source.secret.knownHostsFile", settings.deploy_key.known_hosts_file)
    if settings.keys_file:
        try:
            key_scheme(settings.keys_file.read_bytes())
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise BadConfiguration(f"source.verify.keysFile: {settings.keys_file}: {why}") from None


def _ref(source: Source) -> str:
    if source.branch is not None and source.tag is not None:
        raise BadConfiguration("source: give `branch:` or `tag:`, not both")
    for field, name, place in (("branch", source.branch, "refs/heads"), ("tag", source.tag, "refs/tags")):
        if name is not None:
            try:
                check_name(name)
            except ValueError as error:
                raise BadConfiguration(f"source.{field}: {error}") from None
            return f"{place}/{name}"
    return TRUNK


def _path(path: str) -> str:
    try:
        return check_path(path)
    except ValueError as error:
        raise BadConfiguration(f"source.path: {error}") from None


def _seconds(interval: str) -> float:
    found = _INTERVAL.fullmatch(interval)
    if found is None or not 1 <= (seconds := int(found[1]) * _UNITS[found[2]]) <= _LONGEST:
        raise BadConfiguration(
            f"source.interval: expected a time from 1s to 24h, such as 60s or 5m, found {interval!r}"
        )
    return float(seconds)


def _credentials(secret: GitSecret | None, place: Address) -> tuple[Login | None, DeployKey | None]:
    if place.scheme == "ssh":
        if secret is None or secret.ssh_key_file is None or secret.known_hosts_file is None or secret.password_file:
            raise BadConfiguration(
                "source.secret: ssh needs `sshKeyFile:` (a private key without passphrase) and `knownHostsFile:` "
                "(the server's keys; ssh-keyscan prints them), and no password"
            )
        return None, DeployKey(secret.ssh_key_file.absolute(), secret.known_hosts_file.absolute())
    if secret is None:
        return None, None
    if place.scheme == "file":
        raise BadConfiguration("source.secret: a file:// repository needs none: take it out")
    if secret.ssh_key_file or secret.known_hosts_file:
        raise BadConfiguration("source.secret: an https URL takes `username:` and `passwordFile:`; ssh takes keys")
    if secret.password_file is None:
        raise BadConfiguration("source.secret.passwordFile: missing; name the file that holds the password or token")
    if not secret.username or not secret.username.isprintable():
        raise BadConfiguration("source.secret.username: expected a user name")
    return Login(secret.username, secret.password_file.absolute()), None


def _camel(field: str) -> str:
    first, *others = field.split("_")
    return first + "".join(map(str.capitalize, others))
