"""LossInspector: where the loss comes from, pixel by pixel and step by step of a run."""
