"""Recipes: all settings of a run as one value, as Python and as TOML."""

from unveil.recipes.costs import RunCost, estimate_cost
from unveil.recipes.label_check import LabelCheck
from unveil.recipes.named import NAMED, black_box, choose_recipe, demo, get_recipe, lrp, paper, recommended
from unveil.recipes.recipe import RECIPE_CODEC, Recipe
from unveil.recipes.trust_settings import TrustSettings

__all__ = [
    "NAMED",
    "RECIPE_CODEC",
    "LabelCheck",
    "Recipe",
    "RunCost",
    "TrustSettings",
    "black_box",
    "choose_recipe",
    "demo",
    "estimate_cost",
    "get_recipe",
    "lrp",
    "paper",
    "recommended",
]
