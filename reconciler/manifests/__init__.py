"""From a folder of manifests to desired objects in the store."""
