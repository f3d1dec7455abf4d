"""Methods compared on planted scenes, where the evidence is known exactly."""
