"""The forms that names, labels and keys of the Kubernetes API may have.

Each check returns the complaints in the words of the Kubernetes API server, or none where the text is well formed
(https://kubernetes.io/docs/concepts/overview/working-with-objects/names/). Texts are bounded before they are matched.
"""

import re
from functools import lru_cache

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_WILDCARD = rf"\*\.{_SUBDOMAIN}"
_QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = rf"({_QUALIFIED})?"
_CONFIG_KEY = r"[-._a-zA-Z0-9]+"
_PERCENT = r"[0-9]+%"
_URL_PATH = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"
_LONGEST_PATH = 1024

_MATCH = {
    pattern: re.compile(pattern, re.ASCII).fullmatch
    for pattern in (_LABEL, _SUBDOMAIN, _WILDCARD, _QUALIFIED, _VALUE, _CONFIG_KEY, _PERCENT, _URL_PATH)
}


def _too_long(limit: int, unit: str = "characters") -> str:
    return f"must be no more than {limit} {unit}"


def _form(text: str, pattern: str, sentence: str, *examples: str) -> list[str]:
    if _MATCH[pattern](text):
        return []
    shown = " or ".join(f"'{example}', " for example in examples)
    return [f"{sentence} (e.g. {shown}regex used for validation is '{pattern}')"]


@lru_cache(maxsize=4096)
def dns1123_label(text: str) -> tuple[str, ...]:
    """The name of a namespace, service, container or volume."""
    if len(text) > 63:
        return (_too_long(63),)
    if "." in text and not dns1123_subdomain(text):
        return ("must not contain dots",)
    sentence = (
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
        "and must start and end with an alphanumeric character"
    )
    return tuple(_form(text, _LABEL, sentence, "my-name", "123-abc"))


@lru_cache(maxsize=4096)
def dns1123_subdomain(text: str) -> tuple[str, ...]:
    """The name of most objects."""
    if len(text) > 253:
        return (_too_long(253),)
    sentence = (
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
        "and must start and end with an alphanumeric character"
    )
    return tuple(_form(text, _SUBDOMAIN, sentence, "example.com"))


def wildcard_subdomain(text: str) -> tuple[str, ...]:
    """All hosts of a domain: `*.example.com`."""
    complaints = [_too_long(253)] if len(text) > 253 else []
    sentence = (
        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
        "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character"
    )
    return (*complaints, *_form(text[:254], _WILDCARD, sentence, "*.example.com"))


@lru_cache(maxsize=4096)
def qualified_name(text: str) -> tuple[str, ...]:
    """A key of a label or annotation, the name of a resource or condition: `[prefix/]name`."""
    prefix, slash, name = text.rpartition("/")
    if "/" in prefix:
        sentence = (
            "a valid label key must consist of alphanumeric characters, '-', '_' or '.', "
            "and must start and end with an alphanumeric character"
        )
        return (
            f"{sentence} (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_QUALIFIED}') "
            "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
        )
    complaints = []
    if slash:
        if not prefix:
            complaints.append("prefix part must be non-empty")
        else:
            complaints += [f"prefix part {complaint}" for complaint in dns1123_subdomain(prefix)]
    if not name:
        complaints.append("name part must be non-empty")
    elif len(name) > 63:
        complaints.append(f"name part {_too_long(63, 'bytes')}")
    sentence = (
        "name part must consist of alphanumeric characters, '-', '_' or '.', "
        "and must start and end with an alphanumeric character"
    )
    if len(name) <= 253:
        complaints += _form(name, _QUALIFIED, sentence, "MyName", "my.name", "123-abc")
    return tuple(complaints)


@lru_cache(maxsize=4096)
def label_value(text: str) -> tuple[str, ...]:
    """The value of a label."""
    if len(text.encode()) > 63:
        return (_too_long(63, "bytes"),)
    sentence = (
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
        "and must start and end with an alphanumeric character"
    )
    return tuple(_form(text, _VALUE, sentence, "MyValue", "my_value", "12345"))


def config_key(text: str) -> tuple[str, ...]:
    """A key of a ConfigMap or Secret; it also becomes a file name."""
    if len(text) > 253:
        return (_too_long(253),)
    sentence = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
    complaints = _form(text, _CONFIG_KEY, sentence, "key.name", "KEY_NAME", "key-name")
    if text == ".":
        complaints.append("must not be '.'")
    elif text == "..":
        complaints.append("must not be '..'")
    elif text.startswith(".."):
        complaints.append("must not start with '..'")
    return tuple(complaints)


def environment_name(text: str) -> tuple[str, ...]:
    """The name of an environment variable."""
    if not text or len(text) > 32768 or "=" in text or not (text.isascii() and text.isprintable()):
        return ("a valid environment variable name must consist only of printable ASCII characters other than '='",)
    return ()


def port_name(text: str) -> tuple[str, ...]:
    """The name of a container port (an IANA service name)."""
    complaints = []
    if len(text) > 15:
        complaints.append(_too_long(15))
    if not re.fullmatch(r"[-a-z0-9]+", text[:64], re.ASCII):
        complaints.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search(r"[a-z]", text[:64]):
        complaints.append("must contain at least one letter (a-z)")
    if "--" in text:
        complaints.append("must not contain consecutive hyphens")
    if text.startswith("-") or text.endswith("-"):
        complaints.append("must not begin or end with a hyphen")
    return tuple(complaints)


def percent(text: str) -> tuple[str, ...]:
    """A share such as `25%`."""
    sentence = "a valid percent string must be a numeric string followed by an ending '%'"
    return tuple(_form(text[:64], _PERCENT, sentence, "1%", "93%"))


def path_segment(text: str) -> tuple[str, ...]:
    """A name that is one step of a URL's path and may be anything else besides."""
    if text in (".", ".."):
        return (f"may not be '{text}'",)
    return tuple(f"may not contain '{sign}'" for sign in ("/", "%") if sign in text)


def domain_prefixed_path(text: str) -> tuple[str, ...]:
    """The name of a controller or finalizer: `example.com/name`."""
    domain, _, path = text.partition("/")
    if not domain or not path:
        return ('must be a domain-prefixed path (such as "acme.io/foo")',)
    return (*dns1123_subdomain(domain), *_form(path[:_LONGEST_PATH], _URL_PATH, "Invalid path", "/path"))
