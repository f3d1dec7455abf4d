"""The web application: `jobs/` holds images and runs them in a queue; everything else speaks HTTP."""
