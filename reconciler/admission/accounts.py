"""ServiceAccount: every pod runs as one, and that has to be there. Pure.

The account `default` of a namespace is taken to be there: a controller makes it, and a pod of the same commit must
not depend on which of the two was quicker.
"""

from msgspec import structs

from reconciler.store.view import View
from schemas.core.config import ServiceAccount
from schemas.core.pod import Pod
from schemas.meta import Object

DEFAULT = "default"


def complete(object_: Object, view: View) -> Object:
    if not isinstance(object_, Pod):
        return object_
    spec = object_.spec
    name = spec.service_account_name or spec.service_account or DEFAULT
    account = view.get(ServiceAccount, object_.metadata.namespace, name)
    secrets = spec.image_pull_secrets or (account.image_pull_secrets if account else ())
    return structs.replace(
        object_,
        spec=structs.replace(spec, service_account_name=name, service_account=name, image_pull_secrets=secrets),
    )


def check(object_: Object, view: View) -> str:
    if not isinstance(object_, Pod):
        return ""
    namespace, name = object_.metadata.namespace, object_.spec.service_account_name
    if name in ("", DEFAULT) or view.get(ServiceAccount, namespace, name) is not None:
        return ""
    return f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
