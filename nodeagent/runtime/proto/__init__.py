"""Messages of CRI and containerd, generated from the `.proto` files here by `python -m nodeagent.runtime.proto`.

Only what Wherry calls is declared; a field that is not is skipped when it is received.
"""
