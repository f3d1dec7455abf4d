"""Coalition methods of other libraries: maps computed from predictions of images of which only some pixels are kept."""
