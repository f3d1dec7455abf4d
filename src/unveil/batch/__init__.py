"""An archive: many images, found overnight by many workers, as tables that nothing can damage halfway."""
