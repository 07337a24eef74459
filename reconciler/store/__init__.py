"""The embedded key-value store, the one writer, and the cache that everything else reads."""
