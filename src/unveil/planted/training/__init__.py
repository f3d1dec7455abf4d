"""How the planted networks were trained and proven; not part of the installed package."""
