"""Tokens that lie in Secrets of the type `kubernetes.io/service-account-token`, for programs outside the cluster.

Pure. Such a token has no end of its own: it holds while the Secret holds it and its ServiceAccount is the one that it
was made for (https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/).
"""

import hmac

from msgspec import structs

from reconciler.api.tokens import BadToken, SecretClaims
from reconciler.api.users import AUTHENTICATED, User, service_account_groups, service_account_name
from reconciler.store.view import View
from schemas.core.config import Secret, ServiceAccount

TYPE = "kubernetes.io/service-account-token"
NAME = "kubernetes.io/service-account.name"
UID = "kubernetes.io/service-account.uid"
_ISSUER = "kubernetes/serviceaccount"
_TOKEN, _AUTHORITY, _NAMESPACE = "token", "ca.crt", "namespace"


def account_of(secret: Secret, view: View) -> ServiceAccount | None:
    """Whose token the Secret is for, if it is for one and that is there."""
    if secret.type != TYPE or secret.metadata.deletion_timestamp is not None:
        return None
    return view.get(ServiceAccount, secret.metadata.namespace, secret.metadata.annotations.get(NAME, ""))


def lacks_token(secret: Secret, account: ServiceAccount) -> bool:
    return secret.metadata.annotations.get(UID) != account.metadata.uid or not secret.data.get(_TOKEN)


def claims(secret: Secret, account: ServiceAccount) -> SecretClaims:
    metadata = account.metadata
    name = service_account_name(metadata.namespace, metadata.name)
    return SecretClaims(_ISSUER, metadata.namespace, secret.metadata.name, metadata.name, metadata.uid, name)


def filled(secret: Secret, account: ServiceAccount, token: bytes, authority: str) -> Secret:
    """The Secret with all that belongs there; a token that is there and holds stays."""
    kept = token or secret.data.get(_TOKEN, b"")
    data = {_AUTHORITY: authority.encode(), _NAMESPACE: account.metadata.namespace.encode(), _TOKEN: kept}
    annotations = secret.metadata.annotations | {UID: account.metadata.uid}
    metadata = structs.replace(secret.metadata, annotations=annotations)
    return structs.replace(secret, metadata=metadata, data=secret.data | data)


def user_of(text: str, said: SecretClaims, view: View) -> User:
    """Who bears the token, where it still holds. Raises `BadToken`."""
    secret = view.get(Secret, said.namespace, said.secret)
    account = view.get(ServiceAccount, said.namespace, said.account)
    if said.iss != _ISSUER or secret is None or secret.metadata.deletion_timestamp is not None:
        raise BadToken("the Secret that it lies in is gone")
    if not hmac.compare_digest(secret.data.get(_TOKEN, b""), text.encode()):
        raise BadToken("the Secret holds another one")
    if account is None or account.metadata.uid != said.uid:
        raise BadToken("the ServiceAccount that it was made for is gone")
    groups = (*service_account_groups(said.namespace), AUTHENTICATED)
    return User(service_account_name(said.namespace, said.account), said.uid, groups)
