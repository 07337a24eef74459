"""RuntimeClass: a pod that names a class needs it to be there. Pure."""

from reconciler.store.view import View
from schemas.core.pod import Pod
from schemas.meta import Object, Ref


def check(object_: Object, view: View) -> str:
    """Why a pod may not come in."""
    name = object_.spec.runtime_class_name if isinstance(object_, Pod) else ""
    if not name or view.find(Ref("RuntimeClass", "", name)) is not None:
        return ""
    return f'pod rejected: RuntimeClass "{name}" not found'
