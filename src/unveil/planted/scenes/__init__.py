"""Scenes with known evidence: signs of classes, look-alikes, backgrounds, and radiographs with planted findings."""
