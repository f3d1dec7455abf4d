"""Where models come from: one module per library or file form."""
