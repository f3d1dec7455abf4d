"""The web application of `unveil serve`: jobs in a queue, an HTTP interface to them, and a page. See docs/serve.md.

Importing this package imports neither fastapi nor torch.
"""
