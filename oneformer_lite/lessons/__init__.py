"""The lessons as pages that need no network and no kernel: ``oneformer-lite lessons --html``."""
