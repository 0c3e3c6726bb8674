"""What the inspectors show, as numbers: pure functions of a model's outputs, without pictures and widgets."""
