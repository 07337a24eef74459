"""Which objects a selector picks: by labels, and by the few fields that the Kubernetes API lets one ask for.

Syntax and complaints follow kubectl and the API server
(https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Literal

import msgspec

from schemas import names
from schemas.core.affinity import NodeSelectorRequirement
from schemas.core.event import Event
from schemas.meta import LabelSelector, LabelSelectorRequirement, Object

_LONGEST = 16 * 1024
"""Characters of a selector, more than any tool writes."""

_TOKEN = re.compile(r"\s*(==|!=|[=!<>(),]|[^=!<>(),\s]+)")
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
_SPECIAL = frozenset(("==", "!=", "=", "!", "<", ">", "(", ")", ","))


def matches(selector: LabelSelector | None, labels: Mapping[str, str]) -> bool:
    """Whether the labels are picked. No selector picks nothing, an empty one everything."""
    if selector is None:
        return False
    return all(labels.get(key) == value for key, value in selector.match_labels.items()) and all(
        meets(requirement, labels) for requirement in selector.match_expressions
    )


def meets(requirement: LabelSelectorRequirement | NodeSelectorRequirement, labels: Mapping[str, str]) -> bool:
    """Whether the labels are as the one requirement says. What is asked of nodes is written alike."""
    found = labels.get(requirement.key)
    match requirement.operator:
        case "In":
            return found is not None and found in requirement.values
        case "NotIn":
            return found is None or found not in requirement.values
        case "Exists":
            return found is not None
        case "DoesNotExist":
            return found is None
        case "Gt" | "Lt":
            return _compares(requirement, found)
    return False


def _compares(requirement: LabelSelectorRequirement | NodeSelectorRequirement, found: str | None) -> bool:
    """A label that is no integer is neither greater nor less."""
    if found is None or len(requirement.values) != 1:
        return False
    bound = requirement.values[0]
    if not (_INTEGER.fullmatch(found) and _INTEGER.fullmatch(bound)):
        return False
    return int(found) > int(bound) if requirement.operator == "Gt" else int(found) < int(bound)


def parse_label_selector(text: str) -> LabelSelector:
    """The selector that `kubectl -l` means: `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1`. Raises `ValueError`."""
    if len(text) > _LONGEST:
        raise ValueError(f"a label selector must be no more than {_LONGEST} characters")
    tokens = _Tokens(_TOKEN.findall(text))
    requirements = []
    while tokens.ahead:
        requirements.append(_requirement(tokens))
        if tokens.ahead:
            separator = tokens.take()
            if separator != ",":
                raise ValueError(f"found '{separator}', expected: ',' or 'end of string'")
            if not tokens.ahead:
                raise ValueError("found '', expected: identifier after ','")
    return LabelSelector(match_expressions=tuple(requirements))


class _Tokens:
    """The words and signs that are still to be read."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens[::-1]

    @property
    def ahead(self) -> str:
        """The next token, empty at the end."""
        return self._tokens[-1] if self._tokens else ""

    def take(self) -> str:
        return self._tokens.pop() if self._tokens else ""


def _requirement(tokens: _Tokens) -> LabelSelectorRequirement:
    negated = tokens.ahead == "!"
    if negated:
        tokens.take()
    key = tokens.take()
    if not key or key in _SPECIAL:
        raise ValueError(f"unable to parse requirement: found '{key}', expected: identifier")
    if complaints := names.qualified_name(key):
        raise ValueError(f'unable to parse requirement: <nil>: Invalid value: "{key}": {"; ".join(complaints)}')
    if negated:
        return LabelSelectorRequirement(key, "DoesNotExist")
    if tokens.ahead in ("", ","):
        return LabelSelectorRequirement(key, "Exists")
    return _comparison(key, tokens)


def _comparison(key: str, tokens: _Tokens) -> LabelSelectorRequirement:
    sign = tokens.take()
    operator = {"=": "In", "==": "In", "in": "In", "!=": "NotIn", "notin": "NotIn", ">": "Gt", "<": "Lt"}.get(sign)
    if operator is None:
        raise ValueError(f"unable to parse requirement: found '{sign}', expected: in, notin, =, ==, !=, gt, lt")
    values = _value_set(tokens) if sign in ("in", "notin") else (_single_value(tokens),)
    if operator in ("Gt", "Lt"):
        if not _INTEGER.fullmatch(values[0]):
            raise ValueError(
                f'unable to parse requirement: values[0][{key}]: Invalid value: "{values[0]}": '
                "for 'Gt', 'Lt' operators, the value must be an integer"
            )
    else:
        for index, value in enumerate(values):
            if complaints := names.label_value(value):
                raise ValueError(
                    f"unable to parse requirement: values[{index}][{key}]: "
                    f'Invalid value: "{value}": {"; ".join(complaints)}'
                )
    return LabelSelectorRequirement(key, operator, values)


def _single_value(tokens: _Tokens) -> str:
    if tokens.ahead in ("", ","):
        return ""
    value = tokens.take()
    if value in _SPECIAL:
        raise ValueError(f"unable to parse requirement: found '{value}', expected: identifier")
    return value


def _value_set(tokens: _Tokens) -> tuple[str, ...]:
    opening = tokens.take()
    if opening != "(":
        raise ValueError(f"unable to parse requirement: found '{opening}' expected: '('")
    values: list[str] = []
    value = ""
    while True:
        token = tokens.take()
        if token in (",", ")"):
            values.append(value)
            value = ""
            if token == ")":
                return tuple(sorted(set(values)))
        elif not token or token in _SPECIAL or value:
            raise ValueError(f"unable to parse requirement: found '{token}', expected: ',', ')' or identifier")
        else:
            value = token


class FieldRequirement(msgspec.Struct, frozen=True):
    """That a field is, or is not, of this value."""

    field: str
    operator: Literal["=", "!="]
    value: str


_FIELD_TERM = re.compile(r"((?:[^\\=!,]|\\.)*)(!=|==|=)((?:[^\\=,]|\\.)*)", re.DOTALL)
_UNESCAPED_COMMA = re.compile(r"((?:[^\\,]|\\.)*)(?:,|$)", re.DOTALL)


def parse_field_selector(text: str) -> tuple[FieldRequirement, ...]:
    """What `kubectl --field-selector` means: `status.phase!=Running,spec.nodeName=a`. Raises `ValueError`."""
    if len(text) > _LONGEST:
        raise ValueError(f"a field selector must be no more than {_LONGEST} characters")
    requirements = []
    for term in _UNESCAPED_COMMA.findall(text):
        if not term:
            continue
        found = _FIELD_TERM.fullmatch(term)
        if found is None:
            raise ValueError(f"invalid selector: '{text}'; can't understand '{term}'")
        operator: Literal["=", "!="] = "!=" if found[2] == "!=" else "="
        requirements.append(FieldRequirement(found[1].strip(), operator, re.sub(r"\\(.)", r"\1", found[3])))
    return tuple(requirements)


def matches_fields(requirements: Iterable[FieldRequirement], object_: Object) -> bool:
    """Whether the object's fields are as required. Raises `ValueError` for a field that its kind does not offer."""
    return all(
        (_getter(requirement.field, object_.kind)(object_) == requirement.value) == (requirement.operator == "=")
        for requirement in requirements
    )


def check_fields(requirements: Iterable[FieldRequirement], kind: str) -> None:
    """Raises `ValueError` where a requirement names a field that the kind does not offer."""
    for requirement in requirements:
        _getter(requirement.field, kind)


def _getter(field: str, kind: str) -> Callable[[Object], str]:
    special = _FIELDS.get(kind)
    attribute = _EVERYWHERE.get(field) or (special or {}).get(field)
    if attribute is None:
        if special is None:
            raise ValueError(f'"{field}" is not a known field selector: only "metadata.name", "metadata.namespace"')
        raise ValueError(f"field label not supported: {field}")
    if callable(attribute):
        return attribute
    path = attrgetter(attribute)

    def get(object_: Object) -> str:
        found = path(object_)
        return str(found).lower() if isinstance(found, bool) else str(found)

    return get


def _event_source(object_: Object) -> str:
    assert isinstance(object_, Event)
    return (object_.source.component if object_.source else "") or object_.reporting_component


_EVERYWHERE = {"metadata.name": "metadata.name", "metadata.namespace": "metadata.namespace"}

_FIELDS: dict[str, dict[str, str | Callable[[Object], str]]] = {
    "Event": {
        "involvedObject.kind": "involved_object.kind",
        "involvedObject.namespace": "involved_object.namespace",
        "involvedObject.name": "involved_object.name",
        "involvedObject.uid": "involved_object.uid",
        "involvedObject.apiVersion": "involved_object.api_version",
        "involvedObject.resourceVersion": "involved_object.resource_version",
        "involvedObject.fieldPath": "involved_object.field_path",
        "reason": "reason",
        "reportingComponent": "reporting_component",
        "source": _event_source,
        "type": "type",
    },
    "Namespace": {"status.phase": "status.phase", "name": "metadata.name"},
    "Node": {"spec.unschedulable": "spec.unschedulable"},
    "Pod": {
        "spec.nodeName": "spec.node_name",
        "spec.restartPolicy": "spec.restart_policy",
        "spec.schedulerName": "spec.scheduler_name",
        "spec.serviceAccountName": "spec.service_account_name",
        "spec.hostNetwork": "spec.host_network",
        "status.phase": "status.phase",
        "status.podIP": "status.pod_ip",
        "status.nominatedNodeName": "status.nominated_node_name",
    },
    "ReplicaSet": {"status.replicas": "status.replicas"},
    "Secret": {"type": "type"},
    "Service": {"spec.clusterIP": "spec.cluster_ip", "spec.type": "spec.type"},
}
"""What may be asked of a kind besides its name and namespace: where the value is found."""
