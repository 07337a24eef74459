"""The core API group (`v1`), one module per noun, so that an agent imports only what it runs."""
