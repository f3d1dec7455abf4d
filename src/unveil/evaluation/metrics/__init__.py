"""Published metrics of saliency maps: where a map lies, and how the classifier reacts when its pixels change."""
