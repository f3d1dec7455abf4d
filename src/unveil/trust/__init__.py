"""How far a region can be trusted: placement, fill, boundary and randomization tests, Shapley values, and a verdict."""

from unveil.trust.cards import make_trust_cards, smallest_p_value

__all__ = ["make_trust_cards", "smallest_p_value"]
