"""What the API server fills in where a NetworkPolicy or an IngressClass leaves a field out. See `schemas.defaults`."""

from msgspec import structs

from schemas.networking import IngressClass, NetworkPolicy, NetworkPolicyPort


def ingress_class(declared: IngressClass) -> IngressClass:
    parameters = declared.spec.parameters
    if parameters is None or parameters.scope:
        return declared
    spec = structs.replace(declared.spec, parameters=structs.replace(parameters, scope="Cluster"))
    return structs.replace(declared, spec=spec)


def network_policy(declared: NetworkPolicy) -> NetworkPolicy:
    spec = declared.spec
    return structs.replace(
        declared,
        spec=structs.replace(
            spec,
            ingress=tuple(structs.replace(rule, ports=_ports(rule.ports)) for rule in spec.ingress),
            egress=tuple(structs.replace(rule, ports=_ports(rule.ports)) for rule in spec.egress),
            policy_types=spec.policy_types or (("Ingress", "Egress") if spec.egress else ("Ingress",)),
        ),
    )


def _ports(ports: tuple[NetworkPolicyPort, ...]) -> tuple[NetworkPolicyPort, ...]:
    return tuple(structs.replace(port, protocol=port.protocol or "TCP") for port in ports)
