"""drills: what the engine promises for bad days, put to the test. See docs/measured.md."""
