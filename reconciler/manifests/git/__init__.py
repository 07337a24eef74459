"""A git repository as the source of manifests: fetched, checked, and shown as a folder that changes at once."""
