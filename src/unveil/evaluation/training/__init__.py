"""What a training on erased images does: the cues that a network uses, and whether it classifies the masks."""
