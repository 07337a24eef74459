"""The columns of what pods are given: ConfigMap, Secret, ServiceAccount; and of Namespace."""

from datetime import datetime

from reconciler.api.tables.column import AGE, NAME, Cell, Column, Layout, age
from schemas.core.config import ConfigMap, Namespace, Secret
from schemas.meta import Object


def _config_map(config: ConfigMap, now: datetime) -> tuple[Cell, ...]:
    return config.metadata.name, len(config.data) + len(config.binary_data), age(config, now)


def _secret(secret: Secret, now: datetime) -> tuple[Cell, ...]:
    return secret.metadata.name, secret.type, len(secret.data), age(secret, now)


def _namespace(namespace: Namespace, now: datetime) -> tuple[Cell, ...]:
    return namespace.metadata.name, namespace.status.phase, age(namespace, now)


def _name_and_age(object_: Object, now: datetime) -> tuple[Cell, ...]:
    return object_.metadata.name, age(object_, now)


_DATA = Column("Data", description="Number of entries")

CONFIG_MAP = Layout((NAME, _DATA, AGE), _config_map)
SECRET = Layout((NAME, Column("Type", description="What the secret is for"), _DATA, AGE), _secret)
NAMESPACE = Layout((NAME, Column("Status", description="Active or Terminating"), AGE), _namespace)
SERVICE_ACCOUNT = Layout((NAME, AGE), _name_and_age)
