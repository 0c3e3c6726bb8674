"""FeatureInspector: a feature map in its three main directions, and what is like the place that one points at."""
