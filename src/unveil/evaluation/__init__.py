"""How well regions meet what is known to be there. Everything is counted first and divided last."""
