"""MatchInspector: which query was given which segment, and at which cost."""
