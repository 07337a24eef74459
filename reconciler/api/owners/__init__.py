"""Who owns the fields that no client wrote: entries of `metadata.managedFields` for Wherry's own components.

They follow from the object and are worked out when it is shown, so that they cost neither memory nor a write. The names
are those that Kubernetes has for the component that does the same.
"""

from reconciler.api.owners.entries import entries_of, shown, to_record

__all__ = ["entries_of", "shown", "to_record"]
