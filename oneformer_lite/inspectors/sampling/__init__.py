"""SamplingInspector: where deformable attention looks."""
