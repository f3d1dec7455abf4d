"""The type checker of the tests: beartype, for which a whole number is a float, as it is for Python's typing."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
