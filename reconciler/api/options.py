"""What a request asks for beside its path: selectors, pages, revisions, preconditions.

Pure: query parameters (and the body of a DELETE) go in; what makes no sense is refused in Kubernetes' words.
"""

import base64
import binascii
import re
from collections.abc import Mapping

import msgspec

from reconciler.api.status import StatusError, bad_option, bad_request, unsupported_value
from schemas import gojson
from schemas.decode import FieldValidation
from schemas.kinds import Kind
from schemas.meta import LabelSelector, Object
from schemas.selectors import (
    FieldRequirement,
    check_fields,
    matches,
    matches_fields,
    parse_field_selector,
    parse_label_selector,
)

Query = Mapping[str, str]


class Selection(msgspec.Struct, frozen=True):
    """Which objects of a kind are meant."""

    namespace: str | None = None
    labels: LabelSelector | None = None
    fields: tuple[FieldRequirement, ...] = ()

    def picks(self, object_: Object) -> bool:
        metadata = object_.metadata
        return (
            (self.namespace is None or metadata.namespace == self.namespace)
            and (self.labels is None or matches(self.labels, metadata.labels))
            and (not self.fields or matches_fields(self.fields, object_))
        )


_DURATION = re.compile(r"[-+]?(0|([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+)")

INCONSISTENT = -1
"""In place of a revision that is no longer kept: the list goes on with what there is now."""


class Continue(msgspec.Struct, frozen=True):
    """Where a list that comes in pages goes on: behind this object, as of this revision."""

    revision: int
    namespace: str
    name: str

    def encode(self) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


class ListOptions(msgspec.Struct, frozen=True):
    """`revision` None: as of now. `exact`: at this very revision, else at that or any later."""

    limit: int = 0
    continue_: Continue | None = None
    revision: int | None = None
    exact: bool = False


class WatchOptions(msgspec.Struct, frozen=True):
    """`revision` None: everything there is first, then what changes."""

    revision: int | None = None
    timeout_seconds: int | None = None
    bookmarks: bool = False
    initial_events: bool = False


class DeleteOptions(msgspec.Struct, frozen=True, rename="camel"):
    """As in the body of a DELETE."""

    grace_period_seconds: int | None = None
    propagation_policy: str | None = None
    orphan_dependents: bool | None = None
    preconditions: "Preconditions | None" = None
    dry_run: tuple[str, ...] = ()

    @property
    def orphan(self) -> bool:
        return self.propagation_policy == "Orphan" or bool(self.orphan_dependents)


class Preconditions(msgspec.Struct, frozen=True, rename="camel"):
    uid: str | None = None
    resource_version: str | None = None


def selection(query: Query, kind: Kind, namespace: str | None, name: str = "") -> Selection:
    """The objects that the selectors pick."""
    try:
        labels = parse_label_selector(query["labelSelector"]) if query.get("labelSelector") else None
        fields = parse_field_selector(query.get("fieldSelector", ""))
        check_fields(fields, kind.name)
    except ValueError as error:
        raise bad_request(str(error)) from None
    if name:
        fields += (FieldRequirement("metadata.name", "=", name),)
    return Selection(namespace, labels, fields)


def list_options(query: Query) -> ListOptions:
    if (timeout := query.get("timeout", "")) and not _DURATION.fullmatch(timeout):
        raise bad_request(f'invalid timeout specified in the request URL - time: invalid duration "{timeout}"')
    if _boolean(query, "sendInitialEvents"):
        raise bad_option("ListOptions", "sendInitialEvents", "Forbidden: sendInitialEvents is forbidden for list")
    match_ = query.get("resourceVersionMatch", "")
    revision = _revision(query)
    if match_ and not query.get("resourceVersion"):
        message = "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"
        raise bad_option("ListOptions", "resourceVersionMatch", message)
    if match_ not in ("", "Exact", "NotOlderThan"):
        supported = ("Exact", "NotOlderThan", "")
        raise unsupported_value("ListOptions", "resourceVersionMatch", f'"{match_}"', *supported)
    if match_ == "Exact" and revision == 0:
        message = 'Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        raise bad_option("ListOptions", "resourceVersionMatch", message)
    if query.get("continue") and revision:
        raise bad_request("specifying resource version is not allowed when using continue")
    limit = max(_integer(query, "limit") or 0, 0)
    return ListOptions(limit, _continue(query.get("continue", "")), revision or None, match_ == "Exact")


def watch_options(query: Query) -> WatchOptions:
    initial, match_ = _boolean(query, "sendInitialEvents"), query.get("resourceVersionMatch", "")
    if query.get("sendInitialEvents"):
        if match_ != "NotOlderThan":
            message = "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            raise bad_option("ListOptions", "resourceVersionMatch", message)
    elif match_:
        message = "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        raise bad_option("ListOptions", "resourceVersionMatch", message)
    return WatchOptions(
        (None if initial else get_revision(query)) or None,
        _integer(query, "timeoutSeconds"),
        _boolean(query, "allowWatchBookmarks"),
        initial,
    )


def read_delete_options(body: bytes) -> DeleteOptions:
    """The options in a body of JSON. Raises the 400."""
    try:
        return msgspec.json.decode(body, type=DeleteOptions) if body.strip() else DeleteOptions()
    except msgspec.DecodeError as error:
        why = "unexpected end of JSON input" if "truncated" in str(error) else str(error)
        raise bad_request(f"couldn't get version/kind; json parse error: {why}") from None


def delete_options(query: Query, options: DeleteOptions) -> DeleteOptions:
    """The options of a body with those of the query, which go first; what makes no sense is refused."""
    policy = query.get("propagationPolicy") or options.propagation_policy
    if policy not in (None, "Background", "Foreground", "Orphan"):
        supported = ("Foreground", "Background", "Orphan", "nil")
        raise unsupported_value("DeleteOptions", "propagationPolicy", f'"{policy}"', *supported)
    if policy is not None and options.orphan_dependents is not None:
        message = f'Invalid value: "{policy}": orphanDependents and deletionPropagation cannot be both set'
        raise bad_option("DeleteOptions", "propagationPolicy", message)
    grace = options.grace_period_seconds
    if "gracePeriodSeconds" in query:
        grace = _integer(query, "gracePeriodSeconds")
    if grace is not None and grace < 0:
        grace = 1  # as Kubernetes takes it
    return msgspec.structs.replace(options, grace_period_seconds=grace, propagation_policy=policy)


def dry_run(query: Query, options: str, body: tuple[str, ...] = ()) -> bool:
    """Whether nothing shall be stored."""
    asked = [value for value in (*body, query.get("dryRun", "")) if value]
    for value in asked:
        if value != "All":
            raise unsupported_value(options, "dryRun", f'["{value}"]', "All")
    return bool(asked)


_LONGEST_MANAGER = 128
"""Bytes of a manager's name."""


def field_manager(query: Query, options: str, agent: str, *, is_required: bool = False) -> str:
    """Who writes: as the request says, else the program that sends it."""
    named = query.get("fieldManager", "")
    if is_required and not named:
        raise bad_option(options, "fieldManager", "Required value: is required for apply patch")
    if len(named.encode()) > _LONGEST_MANAGER:
        raise bad_option(options, "fieldManager", f"Too long: may not be more than {_LONGEST_MANAGER} bytes")
    if not named.isprintable():
        shown = msgspec.json.encode(named).decode()
        raise bad_option(options, "fieldManager", f"Invalid value: {shown}: should only contain printable characters")
    return named or _program(agent)


def _program(agent: str) -> str:
    name = "".join(filter(str.isprintable, agent.partition("/")[0]))
    return name.encode()[:_LONGEST_MANAGER].decode(errors="ignore") or "unknown"


def force(query: Query, *, is_apply: bool) -> bool:
    """Whether fields are taken from those who own them."""
    if query.get("force") and not is_apply:
        raise bad_option("PatchOptions", "force", "Forbidden: may not be specified for non-apply patch")
    return _boolean(query, "force")


def unknown_fields(query: Query, options: str) -> FieldValidation:
    """What to do with fields that the kind does not have."""
    match query.get("fieldValidation", ""):
        case "" | "Warn":
            return "Warn"
        case "Strict":
            return "Strict"
        case "Ignore":
            return "Ignore"
        case other:
            supported = ("", "Ignore", "Strict", "Warn")
            raise unsupported_value(options, "fieldValidation", f'"{other}"', *supported)


def _integer(query: Query, name: str) -> int | None:
    text = query.get(name, "")
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def _boolean(query: Query, name: str) -> bool:
    return query.get(name, "").lower() in ("1", "true", "t")


def _revision(query: Query) -> int | None:
    text = query.get("resourceVersion", "")
    if text and not (text.isascii() and text.isdigit()):
        raise bad_request(f"invalid resource version: {_no_revision(text)}")
    return int(text) if text else None


def get_revision(query: Query) -> int | None:
    """At which revision, or a later one, an object is asked for."""
    text = query.get("resourceVersion", "")
    if text and not (text.isascii() and text.isdigit()):
        raise StatusError(500, "", _no_revision(text))
    return int(text) if text else None


def _no_revision(text: str) -> str:
    return f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'


def _continue(token: str) -> Continue | None:
    if not token:
        return None
    try:
        decoded = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        return msgspec.json.decode(decoded, type=Continue)
    except binascii.Error as error:
        why = str(error)
    except (ValueError, msgspec.DecodeError) as error:
        why = gojson.fault(decoded.decode("latin-1").encode()) or str(error)  # Go tells of bytes, not of characters
    raise bad_request(f"invalid continue token: continue key is not valid: {why}")
