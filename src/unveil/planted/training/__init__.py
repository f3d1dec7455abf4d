"""Training of the planted networks, and proof of what they rely on; not part of the installed package."""
