"""What the tables of an archive say: per label, where regions fall, what looks like a shortcut, and whom to look at."""
