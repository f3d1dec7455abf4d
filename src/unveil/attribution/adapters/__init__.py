"""Adapters: methods of Captum, zennit and pytorch-grad-cam, and functions of the user's own, as attributions."""
