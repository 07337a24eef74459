"""Rules of the addresses of a Service within the cluster, and of their families.

Which families the cluster has, allocation knows.
"""

from schemas.core.service import ServiceSpec
from schemas.faults import Path
from schemas.validation import address
from schemas.validation.report import Faults, duplicate, invalid, unsupported

_NONE = "None"
_IPS: Path = ("spec", "clusterIPs")
_FAMILIES: Path = ("spec", "ipFamilies")
_POLICY: Path = ("spec", "ipFamilyPolicy")
_FAMILY_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
_VERSIONS = {"IPv4": 4, "IPv6": 6}
_ONCE = "may not change once set"


def is_headless(spec: ServiceSpec) -> bool:
    return spec.cluster_ip == _NONE or spec.cluster_ips == (_NONE,)


def _listed(spec: ServiceSpec) -> tuple[str, ...]:
    """An address that is given alone is the list's only one."""
    return spec.cluster_ips or ((spec.cluster_ip,) if spec.cluster_ip else ())


def cluster_ips(spec: ServiceSpec) -> Faults:
    """Of any type but ExternalName."""
    ips = _listed(spec)
    if spec.cluster_ips and not spec.cluster_ip:
        yield invalid(_IPS, ips, "must be empty when `clusterIP` is not specified")
    elif ips and ips[0] != spec.cluster_ip:
        yield invalid(_IPS, ips, "first value must match `clusterIP`")
    yield from _families(spec)
    if is_headless(spec) and spec.type in ("NodePort", "LoadBalancer"):
        yield invalid((*_IPS, 0), _NONE, f"may not be set to 'None' for {spec.type} services")
    faults = tuple(_addresses(ips))
    yield from faults
    if len(ips) > 2:
        yield invalid(_IPS, ips, "may only hold up to 2 values")
    if faults or is_headless(spec):
        return
    versions = [address.version(ip) for ip in ips]
    if len(ips) > 1 and set(versions) != {4, 6}:
        yield invalid(_IPS, ips, "may specify no more than one IP for each IP family")
    for index, (ip, family, version) in enumerate(zip(ips, spec.ip_families, versions, strict=False)):
        if _VERSIONS.get(family, version) != version:
            sentence = f"expected an {family} value as indicated by `ipFamilies[{index}]`"
            yield invalid((*_IPS, index), ip, sentence)


def _addresses(ips: tuple[str, ...]) -> Faults:
    for index, ip in enumerate(ips):
        if index == 0 and ip == _NONE:
            if len(ips) > 1:
                yield invalid(_IPS, ips, "'None' must be the first and only value")
        else:
            yield from address.address((*_IPS, index), ip)


def _families(spec: ServiceSpec) -> Faults:
    for index, family in enumerate(spec.ip_families):
        if family not in _VERSIONS:
            yield unsupported((*_FAMILIES, index), family, _VERSIONS)
        elif family in spec.ip_families[:index]:
            yield duplicate((*_FAMILIES, index), family)
    policy = spec.ip_family_policy
    if policy and policy not in _FAMILY_POLICIES:
        yield unsupported(_POLICY, policy, _FAMILY_POLICIES)
    if is_headless(spec) and not spec.selector:
        return  # It names what may be anywhere, and gets every family.
    if len(spec.ip_families) > 1 and policy in ("", "SingleStack"):
        sentence = "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified"
        yield invalid(_POLICY, "SingleStack", sentence)


def cluster_ips_update(new: ServiceSpec, old: ServiceSpec) -> Faults:
    """An address is for life, unless an ExternalName comes or goes."""
    if "ExternalName" in (new.type, old.type):
        return
    after, before = _listed(new), _listed(old)
    for index, (ip, was) in enumerate(zip(after, before, strict=False)):
        if ip != was:
            yield invalid((*_IPS, index), after, _ONCE)
    if len(after) == 1 and len(before) > 1 and new.ip_family_policy != "SingleStack":
        sentence = "must be set to 'SingleStack' when releasing the secondary clusterIP"
        yield invalid(_POLICY, new.ip_family_policy or None, sentence)
    families, were = new.ip_families, old.ip_families
    if families and were and families[0] != were[0] and not (is_headless(new) or is_headless(old)):
        yield invalid((*_FAMILIES, 0), families, _ONCE)
